"""Opening a model folder with fastembed's own classes, and the fingerprint of what was opened."""

import hashlib
import json
from pathlib import Path

from fastembed import TextEmbedding
from fastembed.common.model_description import DenseModelDescription, ModelSource, PoolingType
from fastembed.text import static_embedding

from rag_server.adapters.fastembed.families import Family, Pooling, family_of
from rag_server.adapters.fastembed.manifest import digest_of, read_manifest
from rag_server.adapters.fastembed.models import ModelDamaged, ModelFolder, kind_of, known_model

# A description must name a source; with a folder given it is never asked.
NOWHERE = ModelSource(url="file:///dev/null")
_ONNX_FILES = (
    "model.onnx",
    "onnx/model.onnx",
    "model_optimized.onnx",
    "model_quantized.onnx",
    "onnx/model_quantized.onnx",
)
CONFIGURATION = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json")
# Larger files that the manifest of a pull lists are not hashed again at each start, when their size is right.
_HASHED_ALWAYS_BYTES = 64_000_000


def register(model: ModelFolder, fingerprint: str) -> str:
    """The name under which fastembed opens this folder; folders that it does not know are made known."""
    if model.known_as is not None:
        return known_model(model.known_as).model
    name = f"local/{model.name}-{fingerprint[:16]}"
    if any(known["model"] == name for known in TextEmbedding.list_supported_models()):
        return name
    if is_static(model):
        _register_static(name)
    else:
        _register_onnx(name, model)
    return name


def is_static(model: ModelFolder) -> bool:
    """Whether the model is a table of token vectors, which needs no onnxruntime."""
    return model_files(model)[0] == "model.safetensors"


def model_files(model: ModelFolder) -> list[str]:
    """The files with the weights, the one to open first. Raises ModelDamaged where there is none."""
    if model.known_as is not None:
        description = known_model(model.known_as)
        return [description.model_file, *description.additional_files]
    found = onnx_files(model.folder)
    if found:
        return found
    if (model.folder / "model.safetensors").is_file():
        return ["model.safetensors"]
    raise ModelDamaged(f"{model.folder} holds neither an ONNX model nor a static one (model.safetensors).")


def onnx_files(folder: Path) -> list[str]:
    """The ONNX model of a folder, then its data; empty where it has none."""
    for name in _ONNX_FILES:
        if (folder / name).is_file():
            return [name, *([f"{name}_data"] if (folder / f"{name}_data").is_file() else [])]
    return []


def fingerprint_of(model: ModelFolder, family: Family) -> str:
    """Changes whenever a vector could: with a byte of the files, the pooling or a prefix."""
    names = [*model_files(model), *(name for name in CONFIGURATION if (model.folder / name).is_file())]
    digests = {name: checked_digest(model.folder, name) for name in sorted(names)}
    said = [digests, _way_of_pooling(model), family.query_prefix, family.passage_prefix]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def checked_digest(folder: Path, name: str) -> str:
    """The SHA-256 of a file, which must be what the manifest says, where there is one. Raises ModelDamaged."""
    path = folder / name
    if not path.is_file():
        raise ModelDamaged(f"{path} is missing: fetch the model again.")
    manifest = read_manifest(folder)
    expected = manifest.files.get(name) if manifest is not None else None
    if expected is not None and path.stat().st_size == expected.size_bytes > _HASHED_ALWAYS_BYTES:
        return expected.sha256
    found = digest_of(path)
    if expected is not None and found != expected:
        raise ModelDamaged(f"{path} is not the file that was fetched: fetch the model again.")
    return found.sha256


def _way_of_pooling(model: ModelFolder) -> str:
    if is_static(model):
        return "static"
    if model.known_as is None:
        return _pooling(model)
    # fastembed pools by class, and has moved a model from one to another before.
    return kind_of(known_model(model.known_as).model).__name__


def _pooling(model: ModelFolder) -> Pooling:
    """What the folder says about pooling in the file of sentence-transformers, or else what its name says."""
    said = model.folder / "1_Pooling" / "config.json"
    if not said.is_file():
        return family_of(model.name).pooling
    config = json.loads(said.read_text("utf-8"))
    if config.get("pooling_mode_cls_token"):
        return Pooling.CLS
    return Pooling.LAST_TOKEN if config.get("pooling_mode_lasttoken") else Pooling.MEAN


def _register_static(name: str) -> None:
    # add_custom_model takes ONNX models only; this list is what StaticTextEmbedding looks into.
    static_embedding.supported_static_models.append(
        DenseModelDescription(name, NOWHERE, "model.safetensors", "", "", 0.0, dim=0)
    )


def _register_onnx(name: str, model: ModelFolder) -> None:
    TextEmbedding.add_custom_model(
        model=name,
        pooling=PoolingType(_pooling(model).value),
        normalization=True,
        sources=NOWHERE,
        dim=0,  # measured when it is opened
        model_file=model_files(model)[0],
        additional_files=model_files(model)[1:],
    )
