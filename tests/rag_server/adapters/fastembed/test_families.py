import pytest

from rag_server.adapters.fastembed.families import Pooling, family_of


@pytest.mark.parametrize(
    ("name", "query_prefix", "passage_prefix"),
    [
        ("intfloat/multilingual-e5-large", "query: ", "passage: "),
        ("multilingual-e5-small", "query: ", "passage: "),
        ("BAAI/bge-small-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("BAAI/bge-m3", "", ""),
        ("snowflake/snowflake-arctic-embed-m", "Represent this sentence for searching relevant passages: ", ""),
        ("Snowflake/snowflake-arctic-embed-l-v2.0", "query: ", ""),
        ("nomic-ai/nomic-embed-text-v1.5-Q", "search_query: ", "search_document: "),
        ("google/embeddinggemma-300m", "task: search result | query: ", "title: none | text: "),
        ("sentence-transformers/all-MiniLM-L6-v2", "", ""),
        ("bundled", "", ""),
    ],
)
def test_a_family_s_prefixes_follow_from_its_name(name: str, query_prefix: str, passage_prefix: str) -> None:
    family = family_of(name)
    assert (family.query_prefix, family.passage_prefix) == (query_prefix, passage_prefix)


def test_families_trained_with_the_first_token_are_pooled_so() -> None:
    assert family_of("BAAI/bge-base-en-v1.5").pooling is Pooling.CLS
    assert family_of("all-MiniLM-L6-v2").pooling is Pooling.MEAN
