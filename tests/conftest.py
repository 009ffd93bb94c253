"""What holds for all tests."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import settings

from tests.servers.survivors import mark, survivors

pytest_plugins = ["tests.servers.postgres", "tests.servers.redis", "tests.fakes.postgres_store"]

# No test fails on a wall-clock figure: a busy machine is no defect.
settings.register_profile("acervo", deadline=None)
settings.load_profile("acervo")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Two processes run the tests: one all that start the whole system, the other what is left, file by file."""
    for item in items:
        path = item.path.as_posix()
        item.add_marker(pytest.mark.xdist_group("system" if "/tests/system/" in path else path))


@pytest.fixture(scope="session", autouse=True)
def _nothing_survives() -> Iterator[None]:
    """Begun before all other fixtures, and so looked at when they are over."""
    marked = mark()
    yield
    left = survivors(marked)
    assert not left, left
