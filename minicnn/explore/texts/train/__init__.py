"""The texts of the view "Train"."""
