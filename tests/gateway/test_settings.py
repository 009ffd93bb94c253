"""Settings of the gateway."""

from pathlib import Path

import pytest

from gateway.settings import read
from serving.environment import SettingsError
from storage.profile import Embedded


def test_without_any_variable_everything_has_a_default() -> None:
    settings = read({})
    assert settings.storage == Embedded(Path("data").absolute())
    assert (settings.listen, settings.rag_servers) == ("127.0.0.1:50050", ("127.0.0.1:50051",))
    assert (settings.max_upload_bytes, settings.min_free_bytes) == (104_857_600, None)


def test_several_rag_servers_are_written_with_commas() -> None:
    settings = read({"ACERVO_RAG_SERVER": "127.0.0.1:1, 127.0.0.1:2,127.0.0.1:1"})
    assert settings.rag_servers == ("127.0.0.1:1", "127.0.0.1:2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACERVO_STORE", "postgresql://host/db"),
        ("ACERVO_MAX_UPLOAD_BYTES", "0"),
        ("ACERVO_MIN_FREE_BYTES", "a lot"),
        ("ACERVO_GATEWAY_LISTEN", "50050"),
        ("ACERVO_RAG_SERVER", "127.0.0.1:1,"),
        ("ACERVO_GATEWAY_LISTN", "127.0.0.1:1"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read({name: value})
