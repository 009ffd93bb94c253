"""Bodies that are no messages: what descriptors cannot say of them."""

from typing import Any

Schema = dict[str, Any]
JSON = "application/json"


def _object(required: tuple[str, ...], **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _list(of: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": of, **more}


TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
COUNT: Schema = {"type": "integer", "minimum": 1}
USAGE = _object(("prompt_tokens", "total_tokens"), prompt_tokens=WHOLE, total_tokens=WHOLE)
VECTOR: Schema = {
    "oneOf": [
        _list({"type": "number"}),
        {"type": "string", "contentEncoding": "base64", "description": "Little-endian float32."},
    ]
}

EMBEDDINGS_ASKED = _object(
    ("input",),
    input={"oneOf": [TEXT, _list(TEXT, minItems=1, maxItems=2048)]},
    model={**TEXT, "description": "A name of the list of models. Empty: the holding's."},
    encoding_format={**TEXT, "enum": ["float", "base64"], "default": "float"},
    dimensions=COUNT,
    truncate={"type": "boolean", "description": "Whether a text longer than the model reads is cut."},
    input_type={**TEXT, "enum": ["query", "passage"], "default": "passage"},
    user={**TEXT, "description": "Ignored."},
)
RERANKING_ASKED = _object(
    ("query", "documents"),
    query=TEXT,
    documents=_list({"oneOf": [TEXT, _object(("text",), text=TEXT)]}, minItems=1, maxItems=1000),
    model={**TEXT, "description": "A name of the list of models. Empty: the configured one."},
    top_n=COUNT,
    return_documents={"type": "boolean"},
)
OPENAI_ERROR = _object(
    ("error",),
    error=_object(
        ("message", "type", "param", "code"),
        message=TEXT,
        type=TEXT,
        param={"type": ["string", "null"]},
        code={"type": ["string", "null"]},
    ),
)

# By service and method. What is not here has messages for bodies.
ASKED = {
    ("OpenAiService", "CreateEmbeddings"): EMBEDDINGS_ASKED,
    ("OpenAiService", "CreateReranking"): RERANKING_ASKED,
}
ANSWERED: dict[tuple[str, str], tuple[str, Schema]] = {
    ("EventService", "StreamJobEvents"): ("text/event-stream", TEXT),
    ("ContentService", "DownloadDocument"): ("application/octet-stream", {}),
    ("EdgeService", "GetOpenApi"): (JSON, {"type": "object"}),
    ("OpenAiService", "CreateEmbeddings"): (
        JSON,
        _object(
            ("object", "data", "model", "usage"),
            object={"const": "list"},
            data=_list(
                _object(("object", "index", "embedding"), object={"const": "embedding"}, index=WHOLE, embedding=VECTOR)
            ),
            model=TEXT,
            usage=USAGE,
        ),
    ),
    ("OpenAiService", "CreateReranking"): (
        JSON,
        _object(
            ("results", "model", "usage"),
            results=_list(
                _object(
                    ("index", "relevance_score"),
                    index=WHOLE,
                    relevance_score={"type": "number", "minimum": 0, "maximum": 1},
                    document=_object(("text",), text=TEXT),
                )
            ),
            model=TEXT,
            usage=USAGE,
        ),
    ),
    ("OpenAiService", "ListModels"): (
        JSON,
        _object(
            ("object", "data"),
            object={"const": "list"},
            data=_list(
                _object(
                    ("id", "object", "created", "owned_by"),
                    id=TEXT,
                    object={"const": "model"},
                    created=WHOLE,
                    owned_by=TEXT,
                    kind={**TEXT, "enum": ["embedder", "reranker"]},
                    dimensions=WHOLE,
                    max_tokens=WHOLE,
                    fingerprint=TEXT,
                )
            ),
        ),
    ),
}
# Services whose errors are not google.rpc.Status.
ERRORS = {"OpenAiService": OPENAI_ERROR}
