"""Every reason that the code gives stands in the contract, and failures have a sentence each."""

import importlib
import pkgutil
from collections.abc import Iterator

import gateway
import rag_server
import serving
import storage
from acervo.rag.v1 import error_reason_pb2
from rag_server.domain.failure import SENTENCES, FailureReason
from serving.errors import ServiceError

REASONS = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118 - no dict
ENTRIES = {"serve", "work", "extract", "pull"}


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
