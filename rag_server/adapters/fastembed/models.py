"""Which model folder a setting means: the bundled one, a folder, or a model that was pulled."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fastembed import TextEmbedding
from fastembed.common.model_description import DenseModelDescription
from fastembed.text.text_embedding_base import TextEmbeddingBase

from rag_server.adapters.fastembed.manifest import read_manifest
from serving.errors import Unusable

BUNDLED = "bundled"
BUNDLED_FOLDER = Path(__file__).parents[2] / "bundled_model"


class ModelError(Unusable):
    """The embedding model cannot be used; the message says what to do."""


class ModelMissing(ModelError):
    """The model is not on this machine."""


class ModelUnknown(ModelError):
    """No model has this name."""


class ModelDamaged(ModelError):
    """The model's files are incomplete or altered."""


class ModelState(StrEnum):
    """Where a model is: shipped with the project, downloaded, or only known by name."""

    BUNDLED = "bundled"
    PULLED = "pulled"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model on this machine. `known_as` is fastembed's name for it, None where fastembed does not know it."""

    name: str
    folder: Path
    known_as: str | None


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One line of the list of models."""

    name: str
    state: ModelState
    dimensions: int
    size_bytes: int
    licence: str


def resolve(setting: str, models_folder: Path) -> ModelFolder:
    """The folder that `bundled`, a path (it starts with `/`, `.` or `~`) or a fastembed model name means.

    Raises ModelMissing or ModelUnknown.
    """
    if setting == BUNDLED:
        return ModelFolder(BUNDLED, BUNDLED_FOLDER, None)
    if setting.startswith(("/", ".", "~")):
        return local_folder(Path(setting).expanduser())
    name = known_model(setting).model
    folder = models_folder / folder_name(name)
    if read_manifest(folder) is None:
        raise ModelMissing(f"The model {name} is not on this machine: run `acervo models pull {name}`.")
    return ModelFolder(name, folder, name)


def known_model(name: str) -> DenseModelDescription:
    """What fastembed says about a model, by name in any case. Raises ModelUnknown with the nearest names."""
    known = {model.model.lower(): model for model in known_models()}
    if name.lower() in known:
        return known[name.lower()]
    near = [known[match].model for match in difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)]
    nearest = f" Near it: {', '.join(near)}." if near else ""
    raise ModelUnknown(f"There is no model called {name}.{nearest} `acervo models list` shows all.")


def known_models() -> Iterator[DenseModelDescription]:
    """The models that fastembed can fetch by name: those that have a hub to come from."""
    return (model for kind in TextEmbedding.EMBEDDINGS_REGISTRY for model in _descriptions(kind) if model.sources.hf)


def kind_of(known_as: str) -> type[TextEmbeddingBase]:
    """The class of fastembed that opens a model it knows: it decides how vectors are pooled."""
    kinds = TextEmbedding.EMBEDDINGS_REGISTRY
    return next(kind for kind in kinds if any(model.model == known_as for model in _descriptions(kind)))


def _descriptions(kind: type[TextEmbeddingBase]) -> list[DenseModelDescription]:
    return kind._list_supported_models()  # noqa: SLF001 - the public list exists on TextEmbedding only, as dictionaries


def folder_name(model_name: str) -> str:
    """The name of a pulled model's folder."""
    return model_name.replace("/", "__")


def list_models(models_folder: Path) -> list[ModelEntry]:
    """The bundled model, then those that were pulled, then those that could be."""
    bundled = _on_disk(BUNDLED, ModelState.BUNDLED, BUNDLED_FOLDER)
    known = sorted(known_models(), key=lambda model: model.model.lower())
    pulled = {
        model.model: _on_disk(model.model, ModelState.PULLED, models_folder / folder_name(model.model))
        for model in known
    }
    others = [
        ModelEntry(model.model, ModelState.KNOWN, model.dim or 0, int(model.size_in_GB * 1e9), model.license)
        for model in known
        if pulled[model.model] is None
    ]
    return [entry for entry in (bundled, *pulled.values()) if entry is not None] + others


def _on_disk(name: str, state: ModelState, folder: Path) -> ModelEntry | None:
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    size_bytes = sum(file.size_bytes for file in manifest.files.values())
    return ModelEntry(name, state, manifest.dimensions, size_bytes, manifest.licence)


def local_folder(folder: Path) -> ModelFolder:
    """The model in a folder of the operator's. Raises ModelMissing."""
    if not (folder / "tokenizer.json").is_file():
        raise ModelMissing(f"{folder} is not a model folder: it has no tokenizer.json.")
    manifest = read_manifest(folder)
    # It may be a pulled model that was copied here, as one does for machines without a network.
    known_as = manifest.fastembed_name if manifest is not None else ""
    return ModelFolder(folder.name, folder, known_as or None)
