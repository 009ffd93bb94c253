import socket
from pathlib import Path

import pytest

from rag_server.settings import read
from serving.environment import SettingsError


@pytest.mark.parametrize("languages", ["", "por", "por+eng", "chi_sim+por"])
def test_languages_for_recognising_text_are_taken_as_tesseract_names_them(languages: str) -> None:
    assert read({"ACERVO_OCR": languages}, cores=2).ocr == languages


@pytest.mark.parametrize("wrong", ["pt,en", "por+", "../por", "por eng", "-l"])
def test_what_cannot_be_languages_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"por\+eng"):
        read({"ACERVO_OCR": wrong}, cores=2)


def test_in_production_indexes_are_of_this_machine_and_its_slot_has_a_name_of_its_own(tmp_path: Path) -> None:
    variables = {
        "ACERVO_STORE": "postgresql://acervo:sesame@db/acervo",
        "ACERVO_REDIS": "redis://cache",
        "ACERVO_BLOBS": "s3://bucket",
        "XDG_CACHE_HOME": str(tmp_path),
    }
    settings = read(variables, cores=2)
    assert settings.folder.is_relative_to(tmp_path)
    assert socket.gethostname() in settings.slot
    assert "sesame" not in repr(settings)


def test_embedded_everything_is_in_one_folder_with_one_slot(tmp_path: Path) -> None:
    settings = read({"ACERVO_STORE": str(tmp_path)}, cores=2)
    assert (settings.folder, settings.slot) == (tmp_path, "slot-1")


def test_vectors_are_searched_in_postgresql_only_where_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="ACERVO_STORE"):
        read({"ACERVO_STORE": str(tmp_path), "ACERVO_VECTORS": "pgvector"}, cores=2)
    production = {"ACERVO_STORE": "postgresql://db/acervo", "ACERVO_REDIS": "redis://cache", "ACERVO_BLOBS": "s3://b"}
    assert read(production, cores=2).vectors == "faiss"
    assert read(production | {"ACERVO_VECTORS": "pgvector"}, cores=2).vectors == "pgvector"
