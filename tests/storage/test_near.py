"""Where a machine keeps what it can lose."""

from pathlib import Path

import pytest

from serving.environment import SettingsError
from storage.near import near_folder

STORE = "postgresql://acervo:sesame@db:5432/acervo"


def test_it_is_where_the_machine_keeps_such_things(tmp_path: Path) -> None:
    assert near_folder({"XDG_CACHE_HOME": str(tmp_path)}, STORE).parent == tmp_path / "acervo"
    assert near_folder({}, STORE).parent == Path.home() / ".cache" / "acervo"


def test_each_store_has_its_own_whatever_its_password() -> None:
    assert near_folder({}, STORE) == near_folder({}, STORE.replace("sesame", "other"))
    others = [STORE.replace("/acervo", "/b").replace("//b", "//acervo"), STORE.replace("@db", "@db2")]
    assert len({near_folder({}, store) for store in [STORE, *others]}) == 3


def test_each_replica_of_a_machine_has_a_folder_of_its_own_and_the_first_is_what_a_lone_one_is() -> None:
    replicas: list[dict[str, str]] = [{}, {"ACERVO_REPLICA": "2"}, {"ACERVO_REPLICA": "blue"}]
    assert len({near_folder(variables, STORE) for variables in replicas}) == 3
    assert near_folder({"ACERVO_REPLICA": "1"}, STORE) == near_folder({}, STORE)


@pytest.mark.parametrize("replica", ["../2", "Two", "-", "a" * 32])
def test_a_replica_that_is_no_name_is_refused(replica: str) -> None:
    with pytest.raises(SettingsError, match="ACERVO_REPLICA"):
        near_folder({"ACERVO_REPLICA": replica}, STORE)


def test_a_folder_has_no_replicas() -> None:
    with pytest.raises(SettingsError, match="only one server"):
        near_folder({"ACERVO_REPLICA": "2"}, "data")
