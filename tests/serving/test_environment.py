"""Settings are read strictly, and mistakes are told in one sentence."""

import pytest

from serving.environment import Environment, SettingsError


def test_a_misspelt_name_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(SettingsError, match=r"did you mean ACERVO_MODEL\?"):
        Environment({"ACERVO_MODELL": "x"}).refuse_unknown()


def test_names_of_other_programs_are_left_alone() -> None:
    Environment({"HOME": "/", "ACERVO_MODEL": "bundled"}).refuse_unknown()


@pytest.mark.parametrize("given", ["many", "-1", "101"])
def test_a_number_out_of_its_bounds_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match="ACERVO_EMBED_THREADS"):
        Environment({"ACERVO_EMBED_THREADS": given}).integer("EMBED_THREADS", 2, 1, 100)


def test_an_empty_value_means_the_default() -> None:
    assert Environment({"ACERVO_EMBED_THREADS": ""}).integer("EMBED_THREADS", 2, 1, 100) == 2


@pytest.mark.parametrize("given", ["8080", ":8080", "localhost:", "localhost:99999"])
def test_an_address_needs_host_and_port(given: str) -> None:
    with pytest.raises(SettingsError, match="HOST:PORT"):
        Environment({"ACERVO_SERVER": given}).address("SERVER", "127.0.0.1:8080")


@pytest.mark.parametrize(("given", "value"), [("true", True), ("false", False), ("", False)])
def test_a_flag_is_true_or_false(given: str, value: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert Environment({"ACERVO_REQUIRE_SANDBOX": given}).flag("REQUIRE_SANDBOX") is value


@pytest.mark.parametrize("given", ["yes", "1", "True"])
def test_a_flag_is_nothing_else(given: str) -> None:
    with pytest.raises(SettingsError, match="ACERVO_REQUIRE_SANDBOX must be one of true, false"):
        Environment({"ACERVO_REQUIRE_SANDBOX": given}).flag("REQUIRE_SANDBOX")
