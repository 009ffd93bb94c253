"""The steps from the teacher's folder to the model folder that is committed."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from distill.safetensors_file import read_tensors, write_tensors
from distill.stop_words import stop_words
from distill.table import DIMENSIONS, extended_vocabulary, quantized, static_table
from distill.teacher import piece_vectors

TEACHER = "sentence-transformers/all-MiniLM-L6-v2"
TEACHER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_LICENCE = "Apache-2.0"
_WINDOW_TOKENS = 512
_NOTICE = f"""\
Static embedding model bundled with Acervo
==========================================

Licensed under the Apache License, Version 2.0 (see LICENSE at the root of the project).

Derived from {TEACHER} (Apache-2.0):
its tokenizer, and the vectors that it gives to each piece of its vocabulary. Changes: those vectors were centred,
reduced to {DIMENSIONS} principal components, weighted by frequency and rounded to 8 bits; Portuguese function words
were added to the vocabulary. The program is `distill/`, the weights of the original have the SHA-256
{TEACHER_SHA256}.
"""


def make(source: Path, into: Path) -> Iterator[str]:
    """Write the model folder; yields a line for each file. Raises ValueError if the source is not the known teacher."""
    weights = source / "model.safetensors"
    if _sha256(weights) != TEACHER_SHA256:
        raise ValueError(f"{weights} is not the teacher: its SHA-256 must be {TEACHER_SHA256}")
    tokenizer, specification = _plain_tokenizer(source)
    words = stop_words()
    table = static_table(piece_vectors(read_tensors(weights)), tokenizer, words)
    rows, row_weights = quantized(table)
    vocabulary = extended_vocabulary(specification["model"]["vocab"], words)
    specification["model"]["vocab"] = vocabulary

    into.mkdir(parents=True, exist_ok=True)
    write_tensors(into / "model.safetensors", {"embeddings": rows, "weights": row_weights})
    _write_texts(into, specification)
    files = [path for path in sorted(into.iterdir()) if path.is_file() and path.name != "MANIFEST.json"]
    digests = {path.name: {"sha256": _sha256(path), "size_bytes": path.stat().st_size} for path in files}
    _write_json(into / "MANIFEST.json", _manifest(digests), indent=2)
    yield from (f"{digest['sha256']}  {digest['size_bytes']:>9}  {name}" for name, digest in digests.items())


def _plain_tokenizer(source: Path) -> tuple[Tokenizer, dict[str, Any]]:
    """The teacher's tokenizer without truncation, padding and special tokens, and its specification."""
    specification: dict[str, Any] = json.loads((source / "tokenizer.json").read_text("utf-8"))
    specification.update(truncation=None, padding=None, post_processor=None)
    return Tokenizer.from_str(json.dumps(specification)), specification


def _write_texts(into: Path, specification: dict[str, Any]) -> None:
    _write_json(into / "tokenizer.json", specification)
    _write_json(
        into / "tokenizer_config.json",
        {
            "do_lower_case": True,
            "model_max_length": _WINDOW_TOKENS,
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
            "tokenizer_class": "BertTokenizer",
        },
    )
    _write_json(into / "special_tokens_map.json", {"pad_token": "[PAD]", "unk_token": "[UNK]"})
    _write_json(
        into / "config.json",
        {
            "model_type": "model2vec",
            "hidden_dim": DIMENSIONS,
            "normalize": True,
            "pad_token_id": 0,
            "distilled_from": TEACHER,
            "license": _LICENCE.lower(),
        },
    )
    (into / "NOTICE").write_text(_NOTICE, "utf-8")


def _manifest(digests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "fastembed_name": "",
        "dimensions": DIMENSIONS,
        "licence": _LICENCE,
        "made_from": {"model": TEACHER, "sha256": TEACHER_SHA256},
        "files": digests,
    }


def _write_json(path: Path, content: dict[str, Any], indent: int | None = None) -> None:
    separators = (",", ":") if indent is None else (",", ": ")
    path.write_text(json.dumps(content, ensure_ascii=False, indent=indent, separators=separators) + "\n", "utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
