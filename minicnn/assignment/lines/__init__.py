"""The requirements of each operation, under the names of the textbook's files."""
