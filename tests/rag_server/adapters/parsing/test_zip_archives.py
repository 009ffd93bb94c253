import io
import struct
import zipfile
from pathlib import Path

import pytest

from rag_server.adapters.parsing.budget import Budget
from rag_server.adapters.parsing.refusals import Refusal, Refused
from rag_server.adapters.parsing.zip_archives import open_archive, refuse_doctypes
from rag_server.domain.extraction import ExtractionLimits
from tests.fakes.documents import make_zip


def refusal_of(path: Path, limits: ExtractionLimits | None = None) -> tuple[Refusal, str]:
    with path.open("rb") as file, pytest.raises(Refused) as refused:
        refuse_doctypes(open_archive(file, Budget(limits or ExtractionLimits())))
    return refused.value.refusal, refused.value.detail.get("which", "")


def test_an_ordinary_archive_opens(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"word/document.xml": "<a/>", "media/x.png": b"\x89"})
    with path.open("rb") as file:
        archive = open_archive(file, Budget(ExtractionLimits()))
        refuse_doctypes(archive)
        assert len(archive.namelist()) == 2


def test_an_archive_that_inflates_beyond_measure_is_refused_unread(tmp_path: Path) -> None:
    bomb = make_zip(tmp_path / "bomb.zip", {"a": b"\0" * 5_000_000})
    assert refusal_of(bomb) == (Refusal.LIMIT_EXCEEDED, "archive_max_ratio")
    many = make_zip(tmp_path / "many.zip", {str(number): b"" for number in range(11)})
    assert refusal_of(many, ExtractionLimits(archive_max_members=10)) == (Refusal.LIMIT_EXCEEDED, "archive_max_members")
    large = make_zip(tmp_path / "large.zip", {"a": b"12345"})
    assert refusal_of(large, ExtractionLimits(archive_max_bytes=4)) == (Refusal.LIMIT_EXCEEDED, "archive_max_bytes")


@pytest.mark.parametrize("name", ["../up", "a/../../up", "/abs", "..\\up", "C:\\up"])
def test_names_that_leave_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    assert refusal_of(make_zip(tmp_path / "a.zip", {name: b"x"}))[0] is Refusal.UNSAFE_ARCHIVE


def test_links_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert refusal_of(path)[0] is Refusal.UNSAFE_ARCHIVE


def test_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"x" * 100)
        archive.writestr("b", b"x" * 100)
    data = bytearray(buffer.getvalue())
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = struct.pack("<I", 0)  # the second entry points at the first's bytes
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    assert refusal_of(path)[0] is Refusal.UNSAFE_ARCHIVE


def test_encrypted_members_are_told_apart(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"a": b"x"})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert refusal_of(path)[0] is Refusal.ENCRYPTED


@pytest.mark.parametrize(
    "prolog",
    [
        "<!DOCTYPE a [<!ENTITY x 'y'>]>",
        "<?xml version='1.0'?><!--" + "x" * 20_000 + "--><!DOCTYPE a SYSTEM 'file:///etc/passwd'>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_part_that_declares_a_document_type_is_refused_however_it_hides(
    tmp_path: Path, prolog: str, encoding: str
) -> None:
    path = make_zip(tmp_path / "a.zip", {"word/document.xml": (prolog + "<a/>").encode(encoding)})
    assert refusal_of(path)[0] is Refusal.UNSAFE_XML


def test_a_truncated_archive_is_broken(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"a": b"x" * 1000})
    path.write_bytes(path.read_bytes()[:-30])
    assert refusal_of(path)[0] is Refusal.BROKEN_ARCHIVE
