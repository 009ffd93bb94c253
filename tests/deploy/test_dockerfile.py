"""The Dockerfile, held against the program and against what an image must not be."""

import importlib.util
import json
import re

import pytest

from gateway.settings import read as read_gateway
from rag_server.settings import read as read_rag_server
from serving.environment import KNOWN
from tests.deploy.dockerfile import DOCKERFILE, IMAGES, ROOT, instructions, last, lineage, stages, variables

KNOWN_INSTRUCTIONS = {
    "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "USER", "WORKDIR",
}  # fmt: skip
LET_THROUGH = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)


def copied() -> list[str]:
    """What is copied from the project."""
    copies = [each for each in instructions() if each.name == "COPY" and not each.flags]
    return [source for each in copies for source in each.words[:-1]]


def test_only_instructions_that_are_thought_of_are_used() -> None:
    assert {each.name for each in instructions()} <= KNOWN_INSTRUCTIONS  # ADD is not among them


def test_nothing_comes_from_an_address() -> None:
    assert "://" not in DOCKERFILE.read_text()


def test_every_base_is_a_stage_or_a_tagged_image_without_a_host() -> None:
    text = DOCKERFILE.read_text()
    defaults = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", text, re.MULTILINE))
    known: set[str] = set()
    for stage in stages().values():
        image = re.sub(r"\$\{(\w+)\}", lambda match: defaults[match[1]], stage.base)
        assert image in known or re.fullmatch(r"[a-z][a-z0-9-]*:(?!latest)[a-z0-9.-]+", image), image
        known.add(stage.name)


def test_what_is_copied_from_another_stage_comes_from_one_that_there_is() -> None:
    sources = {flag for each in instructions() if each.name == "COPY" for flag in each.flags}
    assert sources <= {f"--from={name}" for name in stages()}


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_is_there_and_reaches_the_builder(source: str) -> None:
    assert (ROOT / source).exists()
    assert any(source == allowed or source.startswith(f"{allowed}/") for allowed in LET_THROUGH)


def test_nothing_else_reaches_the_builder() -> None:
    assert set(LET_THROUGH) <= set(copied())


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_a_user_without_rights_from_before_its_command_on(image: str) -> None:
    names = [each.name for stage in lineage(image) for each in stage.instructions]
    assert last(image, "USER").text == "10001:10001"
    assert names.index("USER") < min(names.index("ENTRYPOINT"), names.index("CMD"))
    assert names.count("USER") == 1


@pytest.mark.parametrize("image", IMAGES)
def test_a_command_is_started_without_a_shell_so_that_signals_reach_it(image: str) -> None:
    assert last(image, "ENTRYPOINT").exec_form
    assert last(image, "CMD").exec_form


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_starts_a_module_or_a_file_that_there_is(image: str) -> None:
    command = [*last(image, "ENTRYPOINT").exec_form, *last(image, "CMD").exec_form]
    assert command[0] == "python"
    if command[1] == "-m":
        assert importlib.util.find_spec(command[2]) is not None
    else:
        assert command[1] in copied()


@pytest.mark.parametrize("image", [image for image in IMAGES if image != "command"])
def test_an_image_that_serves_says_how_it_is(image: str) -> None:
    word, _, command = last(image, "HEALTHCHECK").text.partition(" ")
    python, script, *_ = json.loads(command)
    assert (word, python) == ("CMD", "python")
    assert script in copied()


@pytest.mark.parametrize("image", IMAGES)
def test_settings_of_an_image_are_known(image: str) -> None:
    assert {name for name in variables(image) if name.startswith("ACERVO_")} <= KNOWN


def test_servers_listen_where_the_images_say_on_the_ports_that_are_usual() -> None:
    gateway = read_gateway(variables("gateway")).listen
    serve = read_rag_server(variables("serve"), 1).listen
    assert gateway == read_gateway({}).listen.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - within the container
    assert serve == read_rag_server({}, 1).listen.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - as above
    assert last("gateway", "EXPOSE").text == gateway.rpartition(":")[2]
    assert last("serve", "EXPOSE").text == serve.rpartition(":")[2]


def test_what_is_installed_is_locked() -> None:
    installs = [each.text for each in instructions() if "pip install" in each.text]
    assert installs
    for text in installs:
        assert text.count("pip install") == text.count("--require-hashes") == text.count("-r requirements/")


def test_the_edge_has_the_versions_that_are_tested() -> None:
    locked = re.compile(r"^(\S+==\S+)", re.MULTILINE)
    edge = set(locked.findall((ROOT / "requirements/edge.txt").read_text()))
    assert edge
    assert edge <= set(locked.findall((ROOT / "requirements/run.txt").read_text()))
