"""Every reason that the code gives stands in the contract, and failures have a sentence each."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway
import rag_server
import serving
import storage
from acervo.rag.v1 import error_reason_pb2
from rag_server.domain.failure import SENTENCES, FailureReason
from serving.errors import ServiceError

REASONS = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118 - no dict
ENTRIES = {"serve", "work", "extract", "pull", "preview"}
API = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def every_error(kind: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every_error(below)


def load_everything() -> None:
    for package in (serving, storage, gateway, rag_server):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] not in ENTRIES and ".migrations" not in module.name:
                importlib.import_module(module.name)


def test_every_reason_stands_in_the_contract() -> None:
    load_everything()
    raised = {error.reason for error in every_error()} | set(FailureReason)
    assert raised <= REASONS


def test_every_failure_has_a_sentence() -> None:
    assert set(SENTENCES) == set(FailureReason)


@pytest.mark.parametrize("reason", [reason for reason in FailureReason if reason is not FailureReason.LIMIT_EXCEEDED])
def test_every_failure_is_explained_to_clients_in_its_own_words(reason: FailureReason) -> None:
    assert re.search(rf"^\| `{reason}` \| \d+ \| {re.escape(SENTENCES[reason])} \|", API, re.MULTILINE)


def test_a_limit_is_explained_with_what_it_tells() -> None:
    assert re.search(r"^\| `LIMIT_EXCEEDED` \| \d+ \| The file exceeds a limit of this server: ", API, re.MULTILINE)
