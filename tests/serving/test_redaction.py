"""Passwords are not shown, wherever an address turns up."""

import io
import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from serving import logs
from serving.errors import Unusable
from serving.redaction import redacted

ADDRESS = "postgresql://acervo:se/sa:me@db/acervo"
SHOWN = "postgresql://acervo:***@db/acervo"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("test", stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"cannot reach {ADDRESS}!", f"cannot reach {SHOWN}!"),
        ("redis://:sesame@cache:6379/0 and redis://u:p@b", "redis://:***@cache:6379/0 and redis://u:***@b"),
        ("http://127.0.0.1:8080/a b@c", "http://127.0.0.1:8080/a b@c"),
        ("postgresql://acervo@db/acervo", "postgresql://acervo@db/acervo"),
        ("12:30 somebody@example.org", "12:30 somebody@example.org"),
    ],
)
def test_the_password_of_an_address_is_taken_out_and_nothing_else(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_errors_for_operators_hold_no_password() -> None:
    assert str(Unusable(f"no database at {ADDRESS}")) == f"no database at {SHOWN}"


def test_logs_hold_no_password_not_even_in_tracebacks_and_lines_of_libraries(log: io.StringIO) -> None:
    try:
        os.environ[ADDRESS]
    except KeyError:
        structlog.get_logger("ours").exception("failed", place=ADDRESS)
    logging.getLogger("library").warning("lost %s", ADDRESS)
    assert log.getvalue().count(SHOWN) == 3
    assert "se/sa" not in log.getvalue()
