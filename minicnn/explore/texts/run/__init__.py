"""The texts of the views of a run and of costs."""
