import struct
from pathlib import Path

import pytest

from rag_server.adapters.parsing.refusals import Refusal, Refused
from tests.fakes.documents import read
from tests.fakes.ole import make_ole

# 2024-03-05T14:07:00Z in the ticks of Windows, as the stream of fixed properties has it.
SENT = bytes(32) + bytes.fromhex("40003900") + bytes(4) + struct.pack("<Q", 133541212200000000)


def wide(number: str, text: str) -> dict[str, bytes]:
    return {f"__substg1.0_{number}001F": text.encode("utf-16-le")}


def test_a_message_is_its_subject_its_people_and_its_body(tmp_path: Path) -> None:
    streams = {
        "__properties_version1.0": SENT,
        **wide("0037", "Ata da reunião"),
        **wide("0C1A", "Ana Prado"),
        **wide("5D01", "ana@example.org"),
        **wide("0E04", "Conselho"),
        **wide("1000", "Segue a ata.\r\n\r\nAbraço"),
        "__attach_version1.0_#00000000/__substg1.0_3707001F": "ata.pdf".encode("utf-16-le"),
    }
    reading, pages = read(make_ole(tmp_path / "a.msg", streams))
    assert pages[0].text == (
        "Ata da reunião\nFrom: Ana Prado <ana@example.org>\nTo: Conselho\nDate: 2024-03-05T14:07:00+00:00\n\n"
        "Segue a ata.\n\nAbraço\n\nAttachments: ata.pdf"
    )
    assert pages[0].headings[0].text == "Ata da reunião"
    assert reading.properties["title"] == "Ata da reunião"
    assert reading.properties["created"].startswith("2024-03-05")


def test_an_eight_bit_body_and_an_html_body_are_read(tmp_path: Path) -> None:
    plain = {"__properties_version1.0": SENT, "__substg1.0_1000001E": "Atenção, ação".encode("cp1252")}
    assert "Atenção, ação" in read(make_ole(tmp_path / "a.msg", plain))[1][0].text
    html = {"__properties_version1.0": SENT, "__substg1.0_10130102": b"<p>Bom <b>dia</b></p><script>x</script>"}
    assert read(make_ole(tmp_path / "b.msg", html))[1][0].text.endswith("Bom dia")


def test_a_message_without_anything_to_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        read(make_ole(tmp_path / "a.msg", {"__properties_version1.0": SENT}))
    assert refused.value.refusal is Refusal.NO_TEXT
