import pytest

from serving.environment import SettingsError
from storage.postgres_address import STATEMENTS_CACHED, read_address


def test_our_own_word_is_taken_out_of_the_address_and_the_rest_stays() -> None:
    address = read_address("postgresql://u:p%40ss@h:5432/d?sslmode=require&pgbouncer=true&passfile=%2Fa%2Fb")
    assert address.dsn == "postgresql://u:p%40ss@h:5432/d?sslmode=require&passfile=%2Fa%2Fb"
    assert address.statements_cached == 0


def test_statements_are_prepared_unless_a_pgbouncer_is_announced() -> None:
    assert read_address("postgresql://u@h/d").statements_cached == STATEMENTS_CACHED
    assert read_address("postgresql://u@h/d?pgbouncer=false").statements_cached == STATEMENTS_CACHED


def test_another_word_is_refused_and_no_address_is_shown_whole() -> None:
    with pytest.raises(SettingsError, match="pgbouncer must be true or false") as raised:
        read_address("postgresql://u:secret@h/d?pgbouncer=maybe")
    assert "secret" not in f"{raised.value}"
    assert "secret" not in repr(read_address("postgresql://u:secret@h/d"))
