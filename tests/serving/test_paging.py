"""Page tokens continue the query that they were made for, and no other."""

import pytest

from serving import paging


def test_a_token_gives_its_position_back() -> None:
    assert paging.decode(paging.encode("ação/1", "documents", "leis"), "documents", "leis") == "ação/1"


def test_no_token_is_the_beginning() -> None:
    assert paging.decode("", "documents") == ""


@pytest.mark.parametrize("token", ["x", "e30=", "WzFd", paging.encode("a", "documents", "other")])
def test_a_token_of_another_query_is_refused(token: str) -> None:
    with pytest.raises(paging.InvalidPageToken):
        paging.decode(token, "documents", "leis")
