"""The child of a pull: `python -m rag_server.adapters.fastembed.download NAME FOLDER`; it may hang, and is killed.

It leaves the model in FOLDER/model, opened once and with its manifest, or ends with status 1 and a sentence on stderr.
"""

import shutil
import sys
from pathlib import Path

from fastembed.common.model_description import BaseModelDescription, DenseModelDescription
from loguru import logger

from rag_server.adapters.fastembed.cross_encoders import download_cross_encoder, known_cross_encoder
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.loading import CONFIGURATION
from rag_server.adapters.fastembed.manifest import Manifest, digest_of, write_manifest
from rag_server.adapters.fastembed.models import ModelError, ModelFolder, kind_of, known_model
from rag_server.adapters.fastembed.reranker import FastembedReranker

CACHE = "cache"  # the folder inside FOLDER that grows with the download
MODEL = "model"  # the folder inside FOLDER that holds the finished model


def main() -> int:
    """Download, check and describe one model."""
    logger.remove()
    name, folder = sys.argv[1], Path(sys.argv[2])
    cross_encoder = known_cross_encoder(name)
    try:
        if cross_encoder is None:
            _take_embedder(known_model(name), folder)
        else:
            _take_reranker(cross_encoder, folder)
    except (ValueError, OSError, ModelError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _take_embedder(description: DenseModelDescription, folder: Path) -> None:
    # One try: between tries fastembed sleeps for up to 27 seconds.
    fetched = kind_of(description.model).download_model(description, str(folder / CACHE), retries=1)
    _describe(description, description.dim or 0, fetched, folder / MODEL)
    FastembedEmbedder(ModelFolder(description.model, folder / MODEL, description.model), threads=1)


def _take_reranker(description: BaseModelDescription, folder: Path) -> None:
    fetched = download_cross_encoder(description, folder / CACHE)
    _describe(description, 0, fetched, folder / MODEL)
    FastembedReranker(ModelFolder(description.model, folder / MODEL, description.model), threads=1)


def _describe(description: BaseModelDescription, dimensions: int, fetched: Path, into: Path) -> None:
    weights = [description.model_file, *description.additional_files]
    names = [*weights, *(name for name in CONFIGURATION if (fetched / name).is_file())]
    for name in names:
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(fetched / name, into / name)  # the cache has links, the model folder files
    files = {name: digest_of(into / name) for name in sorted(names)}
    write_manifest(into, Manifest(description.model, dimensions, description.license, files))


if __name__ == "__main__":
    sys.exit(main())
