import io
from pathlib import Path

import pytest
from PIL import Image

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.reading import PicturePage, ReadPage, UnreadablePage
from rag_server.adapters.parsing.refusals import Refused
from rag_server.adapters.pillow import reader
from rag_server.domain.extraction import ExtractionLimits
from tests.fakes.documents import source_of


def pages_of(path: Path) -> list[ReadPage]:
    with source_of(path, wants_pictures=True) as source:
        return list(reader.read_picture(source, Budget(ExtractionLimits())).pages)


def test_each_frame_of_a_tiff_is_a_page_in_grey(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (40, 20), "red"), Image.new("1", (30, 10))
    first.save(tmp_path / "a.tiff", save_all=True, append_images=[second])
    pages = pages_of(tmp_path / "a.tiff")
    sizes = [Image.open(io.BytesIO(page.png)).size for page in pages if isinstance(page, PicturePage)]
    assert sizes == [(40, 20), (30, 10)]


def test_a_large_picture_is_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_PIXELS", 100)
    Image.new("L", (200, 50)).save(tmp_path / "a.png")
    (page,) = pages_of(tmp_path / "a.png")
    assert isinstance(page, PicturePage)
    assert Image.open(io.BytesIO(page.png)).size == (20, 5)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "a.png")
    with pytest.raises(Refused) as refused:
        pages_of(tmp_path / "a.png")
    assert refused.value.detail == {"which": "pixels", "asked": "400000000", "allowed": "100000000"}


def test_a_cut_off_picture_is_an_unreadable_page(tmp_path: Path) -> None:
    Image.effect_noise((300, 300), 50).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:20_000])
    assert pages_of(tmp_path / "b.png") == [UnreadablePage(1)]
