from pathlib import Path

import pytest

from bench.evaluation_data import read_set

CORPUS = '{"id": "a", "title": "Título", "text": "um"}\n{"id": "b", "text": "dois"}\n'
QUERIES = '{"id": "1", "text": "um?"}\n{"id": "2", "text": "sem resposta"}\n\n'
JUDGED = "1\ta\t2\n1\tb\t0\n"


def written(folder: Path, corpus: str = CORPUS, queries: str = QUERIES, judged: str = JUDGED) -> Path:
    for name, content in (("corpus.jsonl", corpus), ("queries.jsonl", queries), ("qrels.tsv", judged)):
        (folder / name).write_text(content, "utf-8")
    return folder


def test_queries_without_a_relevant_document_are_left_out(tmp_path: Path) -> None:
    found = read_set(written(tmp_path))
    assert [(document.key, document.title) for document in found.documents] == [("a", "Título"), ("b", "")]
    assert [(query.key, query.relevance) for query in found.queries] == [("1", {"a": 2.0})]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"corpus": CORPUS + "not json\n"}, "corpus.jsonl, line 3"),
        ({"corpus": CORPUS + '{"id": "c"}\n'}, "line 3: without text"),
        ({"corpus": CORPUS + '{"id": "a", "text": ""}\n'}, "the same id"),
        ({"judged": "query-id\tcorpus-id\tscore\n"}, "qrels.tsv, line 1"),
        ({"judged": ""}, "no query"),
    ],
)
def test_what_is_wrong_with_a_set_is_said(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_set(written(tmp_path, **files))
