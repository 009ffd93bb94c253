from rag_server.domain.search import Query


def _normal(text: str) -> str:
    return Query(text, "default", 10).normal_text


def test_a_query_is_brought_to_the_form_that_documents_are_stored_in() -> None:
    assert _normal("  licitac\u0327a\u0303o\n") == "licitação"


def test_what_is_no_character_is_replaced() -> None:
    assert _normal("a\ud800b") == "a?b"
