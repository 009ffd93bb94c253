"""What holds for all tests."""

from collections.abc import Sequence

import pytest
from hypothesis import settings

pytest_plugins = ["tests.servers.postgres", "tests.servers.redis", "tests.fakes.postgres_store"]

# No test fails on a wall-clock figure: a busy machine is no defect.
settings.register_profile("acervo", deadline=None)
settings.load_profile("acervo")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Two processes run the tests: one all that start the whole system, the other what is left, file by file."""
    for item in items:
        path = item.path.as_posix()
        item.add_marker(pytest.mark.xdist_group("system" if "/tests/system/" in path else path))
