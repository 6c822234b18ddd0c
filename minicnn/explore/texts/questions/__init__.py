"""The texts of the view Source, and what the notation's names mean."""
