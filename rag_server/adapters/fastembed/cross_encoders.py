"""Which model folder the setting of the reranker means: a folder, or a cross-encoder that was pulled."""

import difflib
from pathlib import Path

from fastembed.common.model_description import BaseModelDescription
from fastembed.rerank.cross_encoder import TextCrossEncoder
from fastembed.rerank.cross_encoder.onnx_text_cross_encoder import OnnxTextCrossEncoder, supported_onnx_models

from rag_server.adapters.fastembed.loading import NOWHERE, onnx_files
from rag_server.adapters.fastembed.manifest import read_manifest
from rag_server.adapters.fastembed.models import (
    ModelDamaged,
    ModelFolder,
    ModelMissing,
    ModelUnknown,
    folder_name,
    local_folder,
)


def resolve_reranker(setting: str, models_folder: Path) -> ModelFolder:
    """The folder that a path (it starts with `/`, `.` or `~`) or the name of a fastembed cross-encoder means.

    Raises ModelMissing or ModelUnknown.
    """
    if setting.startswith(("/", ".", "~")):
        return local_folder(Path(setting).expanduser())
    known = known_cross_encoder(setting)
    if known is None:
        names = [model.model for model in supported_onnx_models]
        near = difflib.get_close_matches(setting, names, n=3, cutoff=0.4) or names
        raise ModelUnknown(f"There is no reranker called {setting}. Near it: {', '.join(near)}.")
    folder = models_folder / folder_name(known.model)
    if read_manifest(folder) is None:
        raise ModelMissing(f"The model {known.model} is not on this machine: run `acervo models pull {known.model}`.")
    return ModelFolder(known.model, folder, known.model)


def known_cross_encoder(name: str) -> BaseModelDescription | None:
    """What fastembed says about a cross-encoder, by name in any case; None where it knows none of this name."""
    return next((model for model in supported_onnx_models if model.model.lower() == name.lower()), None)


def download_cross_encoder(description: BaseModelDescription, cache: Path) -> Path:
    """Fetch it, with one try; the folder that holds it. Raises ValueError."""
    return OnnxTextCrossEncoder.download_model(description, str(cache), retries=1)


def cross_encoder_files(model: ModelFolder) -> list[str]:
    """The files with the weights, the one to open first. Raises ModelDamaged where there is none."""
    known = known_cross_encoder(model.known_as) if model.known_as is not None else None
    files = onnx_files(model.folder) if known is None else [known.model_file, *known.additional_files]
    if not files:
        raise ModelDamaged(f"{model.folder} holds no ONNX model.")
    return files


def register_cross_encoder(model: ModelFolder, fingerprint: str) -> str:
    """The name under which fastembed opens this folder; folders that it does not know are made known."""
    if model.known_as is not None and known_cross_encoder(model.known_as) is not None:
        return model.known_as
    name = f"local/{model.name}-{fingerprint[:16]}"
    if not any(known["model"] == name for known in TextCrossEncoder.list_supported_models()):
        weights, *others = cross_encoder_files(model)
        TextCrossEncoder.add_custom_model(name, NOWHERE, model_file=weights, additional_files=others)
    return name
