"""What every test of a run folder needs."""

from tests.support.commands import own_folder  # noqa: F401 - a fixture
