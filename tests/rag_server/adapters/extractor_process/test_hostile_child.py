"""A parser that was taken over can do nothing but answer wrongly: tried by a real child under a real parent."""

import asyncio
import os
import platform
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_server.adapters.extractor_process import child
from rag_server.adapters.extractor_process.process import ExtractorProcess
from rag_server.domain.extraction import Extraction, ExtractionLimits, SourceHints
from rag_server.domain.failure import Failure, FailureReason, IngestionFailed
from rag_server.domain.isolation import missing_layers
from tests.rag_server.adapters.extractor_process import hostile_child

DEADLINE_S = 30.0
# The kernel is said to be too old for it; there is no folder to put it into.
OTHERWISE_REFUSED = {"rights-anew": "OSError", "write-temporary": "FileNotFoundError"}
CANARY = "canary-31bd"
ON_FILES = [name for name in hostile_child.FILES if name not in ("read", "list", "enough-files")]
ON_OTHERS = [name for name in hostile_child.OTHERS if name not in ("environment", "much-memory", "name-look-up")]

pytestmark = pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="no list of system calls")


@pytest.fixture(scope="module", autouse=True)
def hostile() -> Iterator[None]:
    """Children are hostile, and there is something to steal."""
    with pytest.MonkeyPatch.context() as patch:
        program = str(Path(hostile_child.__file__))
        patch.setattr(child, "_command", lambda memory_bytes: [
            sys.executable, "-B", "-P", "-s", program, f"--parent-pid={os.getpid()}", f"--memory-bytes={memory_bytes}",
        ])  # fmt: skip
        patch.setenv("ACERVO_SECRET", CANARY)
        yield


async def obey(extractor: ExtractorProcess, folder: Path, order: str, limits: ExtractionLimits) -> Extraction | Failure:
    path = folder / "order.txt"
    path.write_text(order, encoding="utf-8")
    async with asyncio.timeout(DEADLINE_S):
        try:
            return await extractor.extract(path, SourceHints(path.name), limits, lambda *_: None)
        except IngestionFailed as failed:
            return failed.failure


async def answer(extractor: ExtractorProcess, folder: Path, order: str) -> str:
    """What the child says of an order that it survives."""
    outcome = await obey(extractor, folder, order, ExtractionLimits())
    assert isinstance(outcome, Extraction), (order, outcome)
    return outcome.pages[0].text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, str]:
    """The answer to every order, of one child; and the level of its isolation."""
    database = folder / "rag_server.db"
    database.write_text("the store", encoding="utf-8")
    before = database.stat()

    async def ask() -> dict[str, str]:
        extractor = ExtractorProcess()
        given = {name: await answer(extractor, folder, f"{name} {database}") for name in hostile_child.ORDERS}
        given["list"] = await answer(extractor, folder, f"list {folder}")
        given["read-passwd"] = await answer(extractor, folder, "read /etc/passwd")
        given["read-own-code"] = await answer(extractor, folder, f"read {child.__file__}")
        await extractor.close()
        return given | {"level": extractor.isolation}

    given = asyncio.run(ask())
    after = database.stat()
    assert sorted(path.name for path in folder.iterdir()) == ["order.txt", "rag_server.db"]
    assert database.read_text(encoding="utf-8") == "the store"
    assert (before.st_mode, before.st_mtime) == (after.st_mode, after.st_mtime)
    return given


def test_the_child_answers_as_long_as_it_does_no_harm(answers: dict[str, str]) -> None:
    assert "seccomp" in answers["level"]
    assert answers["read-own-code"].startswith("done: ")


@pytest.mark.parametrize("order", ON_FILES)
def test_no_file_can_be_made_or_changed(answers: dict[str, str], order: str) -> None:
    assert answers[order] == OTHERWISE_REFUSED.get(order, "PermissionError")


@pytest.mark.parametrize("order", ["read", "list", "read-passwd", "open-memory", "parent-environment"])
def test_nothing_can_be_read_but_the_document_and_the_program(answers: dict[str, str], order: str) -> None:
    if "landlock" in missing_layers(answers["level"]):
        pytest.skip("this kernel has no Landlock")
    assert answers[order] == "PermissionError"


@pytest.mark.parametrize("order", ON_OTHERS)
def test_there_is_no_network_no_other_process_and_no_way_out(answers: dict[str, str], order: str) -> None:
    assert answers[order] == "PermissionError"


def test_no_name_is_looked_up(answers: dict[str, str]) -> None:
    assert answers["name-look-up"] == "gaierror"


def test_the_environment_holds_no_secret(answers: dict[str, str]) -> None:
    names = {entry.partition("=")[0] for entry in answers["environment"].removeprefix("done: ").split("; ")}
    assert CANARY not in str(answers)
    assert names <= {
        "PATH",
        "LANG",
        "PYTHONPATH",
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "LC_CTYPE",
        "ORT_DISABLE_TELEMETRY",
    }


def test_memory_and_open_files_are_limited(answers: dict[str, str]) -> None:
    assert answers["much-memory"] == "MemoryError"
    assert answers["enough-files"] == "OSError"


@pytest.mark.parametrize(
    ("attack", "reason", "detail"),
    [
        ("hang", FailureReason.TIMEOUT, {"limit": "page_timeout_s"}),
        ("complain", FailureReason.TIMEOUT, {"limit": "page_timeout_s"}),
        ("vanish", FailureReason.PARSER_CRASHED, {"exit_code": "0"}),
        ("abort", FailureReason.PARSER_CRASHED, {"signal": "SIGABRT"}),
        ("half-frame", FailureReason.PARSER_CRASHED, {"exit_code": "0"}),
        ("flood-pieces", FailureReason.PARSER_CRASHED, {"cause": "protocol"}),
        ("long-frame", FailureReason.PARSER_CRASHED, {"cause": "protocol"}),
        ("no-json", FailureReason.PARSER_CRASHED, {"cause": "protocol"}),
        ("no-text", FailureReason.PARSER_CRASHED, {"cause": "protocol"}),
        ("nested", FailureReason.PARSER_CRASHED, {"cause": "protocol"}),
        ("huge-number", FailureReason.PARSER_CRASHED, {"cause": "protocol"}),
    ],
)
async def test_an_attack_costs_its_own_document_only(
    tmp_path: Path, attack: str, reason: FailureReason, detail: dict[str, str]
) -> None:
    extractor = ExtractorProcess("pdfium")  # the last engine: none is left to try after it
    outcome = await obey(extractor, tmp_path, attack, ExtractionLimits(page_timeout_s=1.5))
    assert isinstance(outcome, Failure)
    assert (outcome.reason, dict(outcome.detail)) == (reason, detail)
    assert extractor.child_pid is None
    assert "done: " in await answer(extractor, tmp_path, "environment")
    await extractor.close()


async def test_pages_that_were_out_are_kept_when_the_child_dies(tmp_path: Path) -> None:
    extractor = ExtractorProcess()
    outcome = await obey(extractor, tmp_path, "die-after-a-page", ExtractionLimits())
    await extractor.close()
    assert isinstance(outcome, Extraction)
    assert [page.text for page in outcome.pages] == ["kept"]
    assert outcome.problem is not None
    assert outcome.problem.reason is FailureReason.PARSER_CRASHED


async def test_a_flood_of_frames_neither_lasts_nor_stops_what_goes_on_beside(tmp_path: Path) -> None:
    extractor = ExtractorProcess("pdfium")
    flood = asyncio.create_task(obey(extractor, tmp_path, "flood-alive", ExtractionLimits(document_timeout_s=20)))
    turns = 0
    while not flood.done():
        await asyncio.sleep(0)
        turns += 1
    await extractor.close()
    outcome = flood.result()
    assert isinstance(outcome, Failure)
    assert dict(outcome.detail) == {"cause": "protocol"}
    assert turns > 100  # as many as there were frames


async def test_complaints_do_not_fill_the_parents_memory(tmp_path: Path) -> None:
    extractor = ExtractorProcess()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await obey(extractor, tmp_path, "complain", ExtractionLimits(page_timeout_s=1.5))
    await extractor.close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
