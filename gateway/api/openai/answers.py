"""What OpenAI's clients are answered, as JSON."""

import base64
import json
import struct
from collections.abc import Sequence
from typing import Any

from acervo.rag.v1 import embedding_service_pb2 as pb
from acervo.rag.v1 import model_pb2

KIND_PREFIX = "MODEL_KIND_"


def embeddings(response: pb.EmbedResponse, *, as_base64: bool) -> bytes:
    """The list of vectors, as numbers or as little-endian float32 in base64."""
    write = _base64 if as_base64 else _numbers
    items = (
        f'{{"object":"embedding","index":{index},"embedding":{write(embedding.values)}}}'
        for index, embedding in enumerate(response.embeddings)
    )
    model, usage = json.dumps(response.model, ensure_ascii=False), json.dumps(_usage(response.token_count))
    return f'{{"object":"list","data":[{",".join(items)}],"model":{model},"usage":{usage}}}'.encode()


def reranking(response: pb.RerankResponse, *, told: bool) -> bytes:
    """The list of results, with the documents where they are to be told."""
    results: list[dict[str, Any]] = [
        {"index": result.index, "relevance_score": result.relevance_score}
        | ({"document": {"text": result.document}} if told else {})
        for result in response.results
    ]
    return _json({"results": results, "model": response.model, "usage": _usage(response.token_count)})


def models(response: pb.ListModelsResponse) -> bytes:
    """The list of models; what OpenAI's has no field for stands beside its fields."""
    data = [
        {
            "id": model.name,
            "object": "model",
            "created": 0,
            "owned_by": "acervo",
            "kind": model_pb2.ModelKind.Name(model.kind).removeprefix(KIND_PREFIX).lower(),
            "dimensions": model.dimensions,
            "max_tokens": model.max_tokens,
            "fingerprint": model.fingerprint,
        }
        for model in response.models
    ]
    return _json({"object": "list", "data": data})


def _usage(token_count: int) -> dict[str, int]:
    return {"prompt_tokens": token_count, "total_tokens": token_count}


def _numbers(values: Sequence[float]) -> str:
    # Nine digits tell a float32 exactly; Python's own notation would write the seventeen of a float64.
    return f"[{','.join(map('{:.9g}'.format, values))}]"


def _base64(values: Sequence[float]) -> str:
    return f'"{base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()}"'


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
