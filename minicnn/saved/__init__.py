"""What lies on disk: weights, checkpoints, run folders. Nothing here knows what was learnt."""
