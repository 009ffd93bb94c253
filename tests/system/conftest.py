"""Real programs under the real launcher. One stack serves all tests that leave it whole, each in its own collection."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from bench.client import Client
from bench.stack import Stack, running
from tests.system.store import EmbeddedStore, ProductionStore, Store

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer
    from tests.servers.redis import RedisServer

# Small, so that a refusal for size costs little.
MAX_UPLOAD_BYTES = 8 << 20
EMBEDDED, PRODUCTION = "embedded", "production"
REPLICAS = ("--replicas", "3", "--gateways", "2")
# These run once in each profile, word for word the same. What is about the one folder, the launcher or the model,
# which are the same wherever the store is, runs in the embedded profile only.
IN_BOTH_PROFILES = frozenset(
    f"test_{name}"
    for name in (
        *("rest", "jobs", "versions", "documents_api", "grpc", "vanishing", "kills", "cli", "outcomes"),
        *("logs", "outage", "openai", "real_documents"),
    )
)

Starting = Callable[[Path, dict[str, str]], AbstractContextManager[Stack]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "profile" in metafunc.fixturenames:
        both = metafunc.module.__name__.rpartition(".")[2] in IN_BOTH_PROFILES
        metafunc.parametrize("profile", [EMBEDDED, PRODUCTION] if both else [EMBEDDED], indirect=True, scope="session")


@pytest.fixture(scope="session")
def profile(request: pytest.FixtureRequest) -> str:
    """Where the stack keeps everything."""
    return str(request.param)


@pytest.fixture(scope="session")
def starting(profile: str, request: pytest.FixtureRequest) -> Starting:
    """How a stack of the profile is started; in production with replicas, on servers of its own."""
    if profile == EMBEDDED:
        return running
    postgres: PostgresServer = request.getfixturevalue("postgres_server")
    redis: RedisServer = request.getfixturevalue("redis_server")

    @contextmanager
    def start(data: Path, settings: dict[str, str] | None = None) -> Iterator[Stack]:
        database = postgres.new_database()
        places = {"ACERVO_STORE": postgres.url(database), "ACERVO_REDIS": redis.url}
        places |= {"ACERVO_BLOBS": str(data / "blobs")}
        with running(data, {**(settings or {}), **places}, REPLICAS) as stack:
            yield stack
        postgres.drop_database(database)

    return start


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, starting: Starting) -> Iterator[Stack]:
    settings = {"ACERVO_MAX_UPLOAD_BYTES": str(MAX_UPLOAD_BYTES)}
    with starting(tmp_path_factory.mktemp("system") / "data", settings) as stack:
        yield stack


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory, starting: Starting) -> Iterator[Stack]:
    """For a module that kills and stops programs."""
    folder = tmp_path_factory.mktemp("own")
    with starting(folder / "data", {}) as stack:
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
def store(stack: Stack, profile: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    if profile == EMBEDDED:
        with EmbeddedStore(stack.data) as store:
            yield store
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        database = stack.environment["ACERVO_STORE"].rpartition("/")[2]
        yield ProductionStore(stack.data, lambda statement: postgres.execute(statement, database))


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
