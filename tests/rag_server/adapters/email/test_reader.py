from email.message import EmailMessage
from pathlib import Path

from tests.fakes.documents import read


def message(**headers: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in headers.items():
        made[name] = value
    return made


def write(path: Path, made: EmailMessage) -> Path:
    path.write_bytes(made.as_bytes())
    return path


def test_headers_come_first_and_attachments_are_only_named(tmp_path: Path) -> None:
    made = message(
        Subject="Prazo de eliminação",
        From="Ana <ana@example.org>",
        To="b@example.org",
        Date="Tue, 5 Mar 2024 14:07:00 -0300",
    )
    made.set_content("Segue o edital.\n\nAbraço")
    made.add_attachment(b"%PDF-1.7 secret", maintype="application", subtype="pdf", filename="edital.pdf")
    reading, pages = read(write(tmp_path / "a.eml", made))
    assert pages[0].text == (
        "Prazo de eliminação\nFrom: Ana <ana@example.org>\nTo: b@example.org\nDate: 2024-03-05T14:07:00-03:00\n\n"
        "Segue o edital.\n\nAbraço\n\nAttachments: edital.pdf"
    )
    assert reading.properties == {
        "title": "Prazo de eliminação",
        "author": "Ana <ana@example.org>",
        "created": "2024-03-05T14:07:00-03:00",
    }


def test_a_body_of_html_alone_goes_through_the_html_reader(tmp_path: Path) -> None:
    made = message(Subject="x")
    made.set_content("<p>Ação</p><style>p{}</style>", subtype="html", charset="iso-8859-1")
    assert read(write(tmp_path / "a.eml", made))[1][0].text == "x\n\nAção"


def test_the_plain_of_two_bodies_is_taken(tmp_path: Path) -> None:
    made = message(Subject="x")
    made.set_content("plain words")
    made.add_alternative("<p>html words</p>", subtype="html")
    assert read(write(tmp_path / "a.eml", made))[1][0].text == "x\n\nplain words"


def test_a_malformed_message_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.eml"
    path.write_bytes(
        b"Subject: =?utf-8?q?Of=C3=ADcio?=\nDate: not a date\nTo: <<<>\nContent-Type: text/plain; charset=nonsense\n\n"
        + "Olá, ação".encode("cp1252")
    )
    reading, pages = read(path)
    assert pages[0].text.startswith("Ofício")
    assert pages[0].text.endswith("Olá, ação")
    assert "created" not in reading.properties


def test_a_message_inside_is_an_attachment(tmp_path: Path) -> None:
    inner = message(Subject="inner")
    inner.set_content("inner words")
    made = message(Subject="outer")
    made.set_content("outer words")
    made.add_attachment(inner)
    assert "inner words" not in read(write(tmp_path / "a.eml", made))[1][0].text
