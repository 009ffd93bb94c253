"""Portions of the change log as documents."""

import pytest

from rag_server.domain.document import Change, ChangeKind
from rag_server.views import batch as module
from rag_server.views.batch import next_batch
from tests.fakes.serving_views import library, texts


def test_a_document_comes_with_its_attributes() -> None:
    log = library(1)
    log.publish("d9", texts("ata"), tags=("ata",))
    batch = next_batch(log, 0)
    assert (batch.last_sequence, batch.change_count, batch.chunk_count) == (2, 2, 3)
    assert batch.documents[1].attributes == log.attributes[2]


def test_what_is_no_longer_current_has_nothing() -> None:
    log = library(2)
    log.publish("d0", texts("nova versão"))
    log.delete("d1")
    documents = next_batch(log, 0).documents
    assert [(document.attributes is None, len(document.chunks)) for document in documents] == [
        (True, 0),
        (True, 0),
        (False, 1),
        (True, 0),
    ]


def test_a_segment_is_passed_over_and_the_sequence_moves_on() -> None:
    log = library(1)
    log.log.append(Change(2, ChangeKind.SEGMENT, "default", "", 0, 1))
    batch = next_batch(log, 1)
    assert (batch.last_sequence, batch.change_count, batch.documents) == (2, 1, ())
    log.publish("d5", texts("ata"))
    batch = next_batch(log, 0)
    assert (batch.last_sequence, batch.change_count, len(batch.documents)) == (3, 3, 2)


def test_nothing_waits_at_the_end() -> None:
    batch = next_batch(library(3), 3)
    assert (batch.change_count, batch.is_all) == (0, True)


def test_a_portion_ends_with_the_change_that_reaches_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_CHUNKS", 3)
    batch = next_batch(library(5), 0)
    assert (batch.last_sequence, batch.change_count, batch.chunk_count) == (2, 2, 4)
    assert not batch.is_all
