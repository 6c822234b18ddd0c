"""What lies on disk: weights, checkpoints, run folders, and how a file is written whole. It knows no task."""
