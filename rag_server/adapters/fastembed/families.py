"""What families of models expect around a text: fastembed adds none of these prefixes."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Pooling(StrEnum):
    """How token vectors become one; asked only for folders that do not say it themselves."""

    MEAN = "MEAN"
    CLS = "CLS"
    LAST_TOKEN = "LAST_TOKEN"  # noqa: S105 - a way of pooling, no secret


@dataclass(frozen=True, slots=True)
class Family:
    """The words before a query and before a passage, and the pooling the family was trained with.

    `min_dimensions` is how far its vectors may be cut off; 0 where it was not trained for that.
    """

    query_prefix: str = ""
    passage_prefix: str = ""
    pooling: Pooling = Pooling.MEAN
    min_dimensions: int = 0


_SEARCHING = "Represent this sentence for searching relevant passages: "
_INSTRUCT = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"

# The first pattern found in the model's name wins.
_FAMILIES: tuple[tuple[str, Family], ...] = (
    (r"e5-.*instruct", Family(query_prefix=_INSTRUCT + " ")),
    (r"\be5-", Family("query: ", "passage: ")),
    (r"bge-m3", Family(pooling=Pooling.CLS)),
    (r"bge-.*-zh", Family("为这个句子生成表示以用于检索相关文章：", pooling=Pooling.CLS)),
    (r"bge-", Family(_SEARCHING, pooling=Pooling.CLS)),
    (r"mxbai-embed-large", Family(_SEARCHING, pooling=Pooling.CLS, min_dimensions=512)),
    (r"mxbai-embed", Family(_SEARCHING, pooling=Pooling.CLS)),
    (r"arctic-embed-.*v2", Family("query: ", pooling=Pooling.CLS, min_dimensions=256)),
    (r"arctic-embed", Family(_SEARCHING, pooling=Pooling.CLS)),
    (r"nomic-embed", Family("search_query: ", "search_document: ")),
    (r"embeddinggemma", Family("task: search result | query: ", "title: none | text: ", min_dimensions=128)),
    (r"qwen3-embedding", Family(_INSTRUCT, pooling=Pooling.LAST_TOKEN, min_dimensions=32)),
)


def family_of(model_name: str) -> Family:
    """The family a model's name speaks of; the plain one where it speaks of none."""
    return next((family for pattern, family in _FAMILIES if re.search(pattern, model_name.lower())), Family())
