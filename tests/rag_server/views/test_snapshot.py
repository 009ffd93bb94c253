"""A snapshot is loaded as it was written, or not at all."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from rag_server.adapters.tantivy import files
from rag_server.views import manifest
from rag_server.views.keeping import Keeping
from rag_server.views.manifest import MANIFEST, ModelOfVectors
from rag_server.views.snapshot import CURRENT, Snapshots, ViewsInUse
from tests.fakes.change_log import MemoryChangeLog
from tests.fakes.serving_views import MODEL, library, new_views, texts
from tests.rag_server.views import keep_snapshots

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("keep_snapshots.py")
OLDER, NEWER = (3, [1, 2, 3, 4, 5, 6]), (5, [1, 2, 5, 6, 7])
NOTHING: tuple[int, list[int]] = (0, [])


def keep_two(folder: Path, failpoint: str = "") -> int:
    """Run the program that keeps two snapshots; returns its exit status."""
    environment = {**os.environ, "ACERVO_FAILPOINT": failpoint, "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}"}
    return subprocess.run([sys.executable, PROGRAM, folder], env=environment, check=False, timeout=60).returncode


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    assert keep_two(folder) == 0
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """The two snapshots, to be spoilt."""
    return Path(shutil.copytree(written, tmp_path / "views"))


def store() -> MemoryChangeLog:
    """That of which the program kept snapshots."""
    log = library(3)
    keep_snapshots.go_on(log)
    return log


def loaded(folder: Path, log: MemoryChangeLog | None = None, model: ModelOfVectors = MODEL) -> tuple[int, list[int]]:
    """What a start loads: the sequence, and the chunks, which are the same in both views."""
    snapshots = Snapshots(folder, model)
    snapshots.open()
    views = new_views(folder)
    try:
        sequence = Keeping(snapshots).restore(views, log or store())
        state = views.state(sequence)
        assert state.vectors.chunk_ids().tolist() == state.words.chunk_ids().tolist()
        return sequence, state.vectors.chunk_ids().tolist()
    finally:
        views.close()
        snapshots.close()


def newest(folder: Path) -> Path:
    return folder / (folder / CURRENT).read_text()


def test_the_newest_is_loaded_and_two_are_kept(folder: Path) -> None:
    assert loaded(folder) == NEWER
    assert len(list(folder.glob("snap-*"))) == 2


@pytest.mark.parametrize(
    ("failpoint", "expected"),
    [
        ("snapshot.before_files:4", OLDER),
        ("snapshot.before_files:6", OLDER),
        ("snapshot.before_manifest:2", OLDER),
        ("snapshot.before_rename:2", OLDER),
        ("snapshot.before_current:2", OLDER),
        ("snapshot.before_prune:2", NEWER),
        ("snapshot.before_files:1", NOTHING),
        ("snapshot.before_manifest:1", NOTHING),
        ("snapshot.before_rename:1", NOTHING),
        ("snapshot.before_current:1", OLDER),
    ],
)
def test_a_kill_while_one_is_written_leaves_the_one_before(
    tmp_path: Path, failpoint: str, expected: tuple[int, list[int]]
) -> None:
    assert keep_two(tmp_path, failpoint) == -signal.SIGKILL
    assert loaded(tmp_path) == expected
    assert not list(tmp_path.glob(".tmp-*"))
    assert keep_two(tmp_path) == 0
    assert loaded(tmp_path) == NEWER


def _flip(path: Path, place: Callable[[int], int]) -> None:
    data = bytearray(path.read_bytes())
    data[place(len(data))] ^= 1
    path.unlink()  # the file may be linked into the older snapshot
    path.write_bytes(data)


def _cut(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-1])


SPOILERS: dict[str, Callable[[Path], None]] = {
    "first byte": lambda path: _flip(path, lambda _size: 0),
    "middle byte": lambda path: _flip(path, lambda size: size // 2),
    "last byte": lambda path: _flip(path, lambda size: size - 1),
    "cut": _cut,
    "gone": Path.unlink,
}


@pytest.mark.parametrize("spoiler", SPOILERS)
def test_no_file_that_was_altered_is_ever_loaded(written: Path, tmp_path: Path, spoiler: str) -> None:
    names = [path.relative_to(newest(written)) for path in newest(written).rglob("*") if path.is_file()]
    assert len(names) > 10
    for n, name in enumerate(names):
        folder = Path(shutil.copytree(written, tmp_path / str(n)))
        path = newest(folder) / name
        if path.stat().st_size:
            SPOILERS[spoiler](path)
            with structlog.testing.capture_logs() as lines:
                assert loaded(folder) == OLDER, name
            assert next(line["event"] for line in lines) == "snapshot_refused"


def test_where_both_are_altered_all_is_built_anew(folder: Path) -> None:
    for snapshot in folder.glob("snap-*"):
        _flip(snapshot / "vectors" / "layout.json", lambda size: size // 2)
    assert loaded(folder) == NOTHING


def test_a_file_that_the_manifest_does_not_name_is_not_loaded(folder: Path) -> None:
    (newest(folder) / "vectors" / "more.npy").write_bytes(b"x")
    assert loaded(folder) == OLDER


def test_a_manifest_of_another_snapshot_does_not_fit(folder: Path) -> None:
    older, newer = sorted(folder.glob("snap-*"))
    shutil.copy(older / MANIFEST, newer / MANIFEST)
    assert loaded(folder) == OLDER


@pytest.mark.parametrize("text", ["", "nothing", "snap-9999999999999999", "../../etc", "\x00"])
def test_whatever_current_says_a_whole_snapshot_is_found(folder: Path, text: str) -> None:
    (folder / CURRENT).write_text(text)
    assert loaded(folder) == NEWER


def test_without_current_the_newest_is_loaded(folder: Path) -> None:
    (folder / CURRENT).unlink()
    assert loaded(folder) == NEWER


@pytest.mark.parametrize(
    "model", [ModelOfVectors("another", MODEL.dimensions), ModelOfVectors(MODEL.fingerprint, MODEL.dimensions + 1)]
)
def test_vectors_of_another_model_are_not_loaded(folder: Path, model: ModelOfVectors) -> None:
    snapshots = Snapshots(folder, model)
    snapshots.open()
    assert list(snapshots.whole(store())) == []
    snapshots.close()


def test_those_of_an_older_format_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "FORMAT", 2)
    keep_snapshots.keep_two(tmp_path)
    assert loaded(tmp_path) == NEWER
    monkeypatch.undo()
    assert loaded(tmp_path) == NOTHING


def test_one_from_beyond_the_store_is_not_loaded(folder: Path) -> None:
    log = library(3)
    log.delete("d1")
    assert loaded(folder, log) == OLDER


def test_one_of_a_store_that_was_set_back_and_went_on_is_not_loaded(folder: Path) -> None:
    log = library(3)
    log.delete("d1")
    log.publish("d8", texts("outro processo"))
    with structlog.testing.capture_logs() as lines:
        assert loaded(folder, log) == OLDER
    (refused,) = (line for line in lines if line["event"] == "snapshot_refused")
    assert refused["why"] == "change 5 is another one in the store"


def test_none_of_another_store_is_loaded(folder: Path) -> None:
    log = MemoryChangeLog()
    for n in range(9):
        log.publish(f"x{n}", texts("um processo"))
    with structlog.testing.capture_logs() as lines:
        assert loaded(folder, log) == NOTHING
    assert [line["event"] for line in lines] == ["snapshot_refused"] * 2


def test_one_that_an_engine_cannot_read_is_passed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def link_all(source: Path, work: Path) -> None:
        calls.append(source)
        if len(calls) == 1:
            raise ValueError("an index of another version")
        monkeypatch.undo()
        files.link_all(source, work)

    monkeypatch.setattr(files, "link_all", link_all)
    assert loaded(folder) == OLDER


def test_only_one_process_may_hold_the_folder(folder: Path) -> None:
    holder, other = Snapshots(folder, MODEL), Snapshots(folder, MODEL)
    holder.open()
    with pytest.raises(ViewsInUse):
        other.open()
    holder.close()
    other.open()
    other.close()


def test_files_that_did_not_change_are_linked_from_the_snapshot_before(tmp_path: Path) -> None:
    keep_snapshots.keep_two(tmp_path)
    older, newer = sorted(tmp_path.glob("snap-*"))
    shared = [path for path in (newer / "words").iterdir() if (older / "words" / path.name).exists()]
    linked = [path for path in shared if path.samefile(older / "words" / path.name)]
    assert {path.suffix for path in linked} >= {".term", ".idx", ".pos", ".fast"}
