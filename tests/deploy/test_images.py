"""The embedded profile without a container engine: each program from its image's files alone, as the image starts it.

They run without any capability, on files that cannot be written; as the images' user where the tests are root.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy.built import build, writable_again
from tests.deploy.dockerfile import ROOT, last, variables
from tests.servers.process import free_port

READY_S = 90.0
IN_IMAGE = "/opt/acervo"


@dataclass(frozen=True, slots=True)
class Container:
    """An image's files, its variables with places of this machine, and who runs it."""

    image: str
    files: Path
    settings: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        """What the image starts, with its own arguments unless others are given."""
        return self._here(
            [*last(self.image, "ENTRYPOINT").exec_form, *(arguments or last(self.image, "CMD").exec_form)]
        )

    def health(self, **places: str) -> list[str]:
        """What HEALTHCHECK asks, on this machine's ports."""
        words = json.loads(last(self.image, "HEALTHCHECK").text.partition(" ")[2])
        return self._here([places.get(word, word) for word in words])

    def run(self, command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            deprived(command), cwd=self.files, env=self.environment(), capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        own = {name: value.replace(IN_IMAGE, str(self.files)) for name, value in variables(self.image).items()}
        return {**own, "PATH": os.defpath, "LC_ALL": "C.UTF-8", **self.settings}

    def _here(self, command: list[str]) -> list[str]:
        return [sys.executable if word == "python" else word for word in command]


def user() -> int | None:
    """Who runs the programs: the images' user, where the tests may become him and he can reach the interpreter."""
    installed = [Path(sys.prefix), Path(sys.base_prefix)]
    folders = [folder for place in installed for folder in (place, *place.parents)]
    reachable = all(folder.stat().st_mode & 0o001 for folder in folders)
    return int(last("serve", "USER").text.partition(":")[0]) if os.geteuid() == 0 and reachable else None


def deprived(command: Sequence[str]) -> list[str]:
    """The command as a container would run it: no capability, and no way to get one."""
    if os.geteuid() != 0:
        return ["setpriv", "--no-new-privs", *command]
    uid = user()
    other = [] if uid is None else [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", *other, *command]


@contextlib.contextmanager
def own_folder(name: str) -> Iterator[Path]:
    """A folder of the user who runs the programs."""
    folder = Path(tempfile.mkdtemp(prefix=f"acervo-{name}-"))
    if (uid := user()) is not None:
        os.chown(folder, uid, uid)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class Stack:
    containers: dict[str, Container]
    places: dict[str, str]
    edge: str


@contextlib.contextmanager
def started(container: Container, command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            deprived(command), cwd=container.files, env=container.environment(), stdout=output, stderr=output
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def eventually_healthy(container: Container, command: list[str], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    pause = threading.Event()
    while (asked := container.run(command)).returncode:
        assert time.monotonic() < deadline, (asked.stderr, log.read_text()[-3_000:])
        pause.wait(0.2)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Gateway, serve, work and Envoy as compose.embedded.yaml puts them together."""
    logs = tmp_path_factory.mktemp("logs")
    with contextlib.ExitStack() as stack:
        data = stack.enter_context(own_folder("data"))
        places = {name: f"127.0.0.1:{free_port()}" for name in ("gateway", "serve", "edge", "admin", "figures")}
        settings = {
            "ACERVO_STORE": str(data),
            "ACERVO_MODELS_FOLDER": str(data / "models"),
            "XDG_CACHE_HOME": str(data),
            "TMPDIR": str(data),
            "ACERVO_GATEWAY_LISTEN": places["gateway"],
            "ACERVO_RAG_LISTEN": places["serve"],
            "ACERVO_RAG_SERVER": places["serve"],
        }
        containers = {
            image: Container(image, stack.enter_context(image_files(image)), settings if image != "envoy" else {})
            for image in ("serve", "work", "gateway", "envoy", "command")
        }
        asked = {
            "127.0.0.1:50050": places["gateway"],
            "127.0.0.1:50051": places["serve"],
            "127.0.0.1:9902/ready": f"{places['figures']}/ready",
        }
        edge = ["--listen", places["edge"], "--gateway", places["gateway"], "--metrics", places["figures"]]
        edge += ["--admin", places["admin"], "--config", str(data / "envoy.yaml"), "--drain-s", "1"]
        for image in ("serve", "work", "gateway", "envoy"):
            container, log = containers[image], logs / f"{image}.log"
            command = container.command(*(edge if image == "envoy" else []))
            stack.enter_context(started(container, command, log))
            eventually_healthy(container, container.health(**asked), log)
        yield Stack(containers, places, f"http://{places['edge']}")


@contextlib.contextmanager
def image_files(image: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"acervo-image-{image}-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            yield build(image, folder / "opt")
        finally:
            writable_again(folder)


def get(url: str) -> Any:
    return httpx.get(url, timeout=60, trust_env=False).json()


def test_a_document_goes_in_and_is_found(stack: Stack) -> None:
    body = (ROOT / "samples/observatory-handbook.md").read_bytes()
    url = f"{stack.edge}/api/v1/rag/upload?file_name=handbook.md"
    answer = httpx.post(url, content=body, headers={"content-type": "text/markdown"}, timeout=60, trust_env=False)
    job = answer.json()["job_id"]
    ended = get(f"{stack.edge}/api/v1/rag/jobs/{job}?wait=30s")["job"]
    assert ended["state"] == "JOB_STATE_SUCCEEDED"
    assert get(f"{stack.edge}/api/v1/search?query=lightning+near+the+dome")["hits"]


def test_the_extractor_is_confined_without_any_right(stack: Stack) -> None:
    parts = {part["name"]: part for part in get(f"{stack.edge}/health/ready")["components"]}
    assert parts["extractor"]["condition"] == "CONDITION_OK"
    assert "seccomp" in parts["extractor"]["detail"]


def test_the_command_speaks_to_the_edge(stack: Stack) -> None:
    command = stack.containers["command"]
    asked = command.run(command.command("health", "--server", stack.places["edge"]))
    assert asked.returncode == 0, asked.stderr


def test_the_command_migrates(stack: Stack) -> None:
    command = stack.containers["command"]
    told = command.run(command.command("migrate", "--json"))
    assert told.returncode == 0, told.stderr
    assert [each["service"] for each in json.loads(told.stdout)] == ["rag_server", "gateway"]


@pytest.mark.parametrize("image", ["gateway", "work"])
def test_health_says_no_where_nobody_is(stack: Stack, image: str) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    container = stack.containers[image]
    with own_folder("empty") as empty:
        alone = Container(image, container.files, {**container.settings, "ACERVO_STORE": str(empty)})
        assert alone.run(alone.health(**{"127.0.0.1:50050": nobody})).returncode == 1


def test_nothing_can_be_written_beside_the_program(stack: Stack) -> None:
    work = stack.containers["work"]
    tried = work.run([sys.executable, "-c", "open('new', 'w')"])
    assert "PermissionError" in tried.stderr
