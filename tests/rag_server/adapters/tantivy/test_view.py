"""The word index as it changes."""

from pathlib import Path

import numpy as np
import pytest

from bench.waiting import until
from rag_server.adapters.tantivy import files
from rag_server.adapters.tantivy.view import TantivyView
from rag_server.domain.document import DocumentChunks, IndexedChunk
from rag_server.domain.wording import Wording

LONG_S = 20.0
NO_VECTOR = np.zeros(1, np.float32)


def document(name: str, first_id: int, *texts: str) -> DocumentChunks:
    chunks = [IndexedChunk(n, "c", name, 1, text, (), "", NO_VECTOR) for n, text in enumerate(texts, first_id)]
    return DocumentChunks("c", name, chunks, None)


@pytest.fixture
def view(tmp_path: Path) -> TantivyView:
    view = TantivyView(tmp_path / "work")
    view.clear()
    return view


def found(view: TantivyView, text: str) -> list[int]:
    return sorted(view.state().search("c", Wording(text), 1_000).chunk_ids.tolist())


def test_a_new_version_takes_the_place_of_the_old_one(view: TantivyView) -> None:
    view.apply([document("a", 1, "velho texto", "velho fim")])
    view.apply([document("a", 3, "novo texto")])
    assert found(view, "velho novo texto") == [3]
    assert view.state().chunk_ids().tolist() == [3]


def test_applying_the_same_again_changes_nothing(view: TantivyView) -> None:
    for _ in range(3):
        view.apply([document("a", 1, "um texto"), document("b", 2, "outro texto")])
    assert view.state().chunk_ids().tolist() == [1, 2]


def test_in_one_portion_the_order_counts(view: TantivyView) -> None:
    view.apply(
        [document("a", 1, "x"), document("a", 1), document("b", 2, "x"), document("a", 3, "x"), document("b", 2)]
    )
    assert view.state().chunk_ids().tolist() == [3]


def test_what_a_reader_holds_does_not_change(view: TantivyView) -> None:
    view.apply([document("a", 1, "texto")])
    held = view.state()
    view.apply([document("a", 1), document("b", 2, "texto")])
    assert held.search("c", Wording("texto"), 5).chunk_ids.tolist() == [1]
    view.clear()
    assert held.search("c", Wording("texto"), 5).chunk_ids.tolist() == [1]
    assert view.state().chunk_ids().tolist() == []


def test_a_state_comes_back_from_its_files_and_goes_on(view: TantivyView, tmp_path: Path) -> None:
    for n in range(30):
        view.apply([document(f"d{n}", 10 * n + 1, "um texto", f"número{n}")])
    view.apply([document("d3", 31)])
    frozen = tmp_path / "frozen"
    frozen.mkdir()
    view.freeze(frozen, None)()
    expected = view.state().chunk_ids().tolist()
    view.apply([document("d4", 41)])
    restored = TantivyView(tmp_path / "other")
    restored.restore(frozen)
    assert restored.state().chunk_ids().tolist() == expected
    assert found(restored, "numero7") == [72]
    restored.apply([document("d5", 51), document("new", 999, "texto novo")])
    assert found(restored, "novo") == [999]
    assert found(restored, "numero5") == []


def test_a_frozen_state_stays_as_it_is_whatever_comes_later(view: TantivyView, tmp_path: Path) -> None:
    view.apply([document("a", 1, "texto")])
    frozen = tmp_path / "frozen"
    frozen.mkdir()
    view.freeze(frozen, None)()
    before = {path.name: path.read_bytes() for path in frozen.iterdir()}
    restored = TantivyView(tmp_path / "other")
    restored.restore(frozen)
    for each in (view, restored):
        for n in range(20):
            each.apply([document(f"n{n}", n + 10, "texto"), document("a", 1)])
        each.close()
    assert {path.name: path.read_bytes() for path in frozen.iterdir()} == before


def test_freezing_while_segments_are_merged_gives_whole_states(view: TantivyView, tmp_path: Path) -> None:
    for n in range(60):
        view.apply([document(f"d{n}", n + 1, "texto " * 50)])
        if n % 3 == 0:
            frozen = tmp_path / f"frozen{n}"
            frozen.mkdir()
            view.freeze(frozen, None)()
            restored = TantivyView(tmp_path / f"other{n}")
            restored.restore(frozen)
            assert restored.state().chunk_ids().tolist() == list(range(1, n + 2))
            restored.close()


def test_segments_that_never_rest_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, folder = tmp_path / "work", tmp_path / "folder"
    work.mkdir()
    folder.mkdir()
    (work / files.META).write_text('{"segments": [{"segment_id": "a-b", "deletes": null}]}')
    (work / "ab.term").write_text("x")
    monkeypatch.setattr(files, "_link", lambda _source, _target: False)  # gone, every time
    with pytest.raises(files.SegmentsMoving):
        files.link_committed(work, folder)


def test_only_the_deletes_of_the_commit_are_taken(tmp_path: Path) -> None:
    work, folder = tmp_path / "work", tmp_path / "folder"
    work.mkdir()
    folder.mkdir()
    (work / files.META).write_text('{"segments": [{"segment_id": "a-b", "deletes": {"opstamp": 7}}]}')
    for name in ("ab.term", "ab.7.del", "ab.5.del", "cd.term"):
        (work / name).write_text(name)
    files.link_committed(work, folder)
    assert {path.name for path in folder.iterdir()} == {"ab.term", "ab.7.del", files.META, files.MANAGED}


def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    view = TantivyView(tmp_path / "work")
    view.clear()
    view.apply([document("a", 1, "texto")])
    view.close()
    assert not (tmp_path / "work").exists()


def test_small_segments_are_merged_when_it_is_quiet_and_the_same_is_found(view: TantivyView) -> None:
    for first in range(1, 40, 10):
        view.apply([document(f"d{n}", n, f"texto {n}") for n in range(first, first + 10)])
    view.apply([document("d40", 40), document("d39", 139, "outro texto")])
    parts, ids = view.state().searcher.num_segments, view.state().chunk_ids().tolist()
    assert parts > 1
    until(view.tidy, LONG_S, "nothing was merged")
    assert view.state().searcher.num_segments < parts
    assert view.state().chunk_ids().tolist() == ids == [*range(1, 39), 139]
    assert found(view, "texto") == ids


def test_what_has_gone_does_not_come_back_with_tidying(view: TantivyView) -> None:
    for name in "abcdef":
        view.apply([document(name, ord(name), "texto"), document(f"{name}2", 2 * ord(name), "texto")])
    view.apply([document("a", ord("a")), document("f", 300, "novo")])
    assert view.state().searcher.num_segments > 1
    until(view.tidy, LONG_S, "nothing was merged")
    assert view.state().chunk_ids().tolist() == [*map(ord, "bcde"), *(2 * ord(name) for name in "abcdef"), 300]


def test_one_segment_is_left_as_it_is(view: TantivyView) -> None:
    assert not view.tidy()
    view.apply([document("a", 1, "texto"), document("b", 2, "texto")])
    assert not view.tidy()
    assert view.state().searcher.num_segments == 1
