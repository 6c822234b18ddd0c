"""What stands behind `python -m minicnn.train`: settings, preparation, processes, endings."""
