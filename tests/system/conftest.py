"""Real programs under the real launcher. One stack serves all tests that leave it whole, each in its own collection."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from bench.client import Client
from bench.stack import Stack, running
from tests.system.store import Store

# Small, so that a refusal for size costs little.
MAX_UPLOAD_BYTES = 8 << 20


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"ACERVO_MAX_UPLOAD_BYTES": str(MAX_UPLOAD_BYTES)}
    with running(tmp_path_factory.mktemp("system") / "data", settings) as stack:
        yield stack


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """For a module that kills and stops programs."""
    folder = tmp_path_factory.mktemp("own")
    with running(folder / "data") as stack:
        yield stack
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url) as client:
        yield client


@pytest.fixture(scope="module")
def own_client(own_stack: Stack) -> Iterator[Client]:
    with Client(own_stack.url) as client:
        yield client


@pytest.fixture(scope="session")
def store(stack: Stack) -> Iterator[Store]:
    with Store(stack.data) as store:
        yield store


@pytest.fixture(scope="session")
def channel(stack: Stack) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(stack.edge, options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield channel


@pytest.fixture
def collection(request: pytest.FixtureRequest) -> str:
    """The test's own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return name[-60:].strip("-")


@pytest.fixture
def sound(own_stack: Stack) -> Iterator[None]:
    """What must always hold holds after the test, and something was looked at."""
    yield
    answer = own_stack.verify()
    assert answer["ok"], json.dumps(answer, indent=1)
    assert sum(invariant["checked"] for invariant in answer["invariants"].values()) > 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that ends whole programs and starts them again may take longer than others."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(180))
