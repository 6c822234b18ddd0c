"""What every test of a run folder needs."""

from tests.support.commands import own_folder  # noqa: F401 - a fixture

collect_ignore = ["containers/make.py"]  # it is for Keras' and Flax's own environment
