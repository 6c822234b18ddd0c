"""What stands behind `python -m minicnn.train`: its settings, its preparation, several processes."""
