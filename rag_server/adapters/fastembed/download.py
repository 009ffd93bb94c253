"""The child of a pull: `python -m rag_server.adapters.fastembed.download NAME FOLDER`; it may hang, and is killed.

It leaves the model in FOLDER/model, opened once and with its manifest, or ends with status 1 and a sentence on stderr.
"""

import shutil
import sys
from pathlib import Path

from fastembed.common.model_description import DenseModelDescription
from loguru import logger

from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.loading import CONFIGURATION
from rag_server.adapters.fastembed.manifest import Manifest, digest_of, write_manifest
from rag_server.adapters.fastembed.models import ModelError, ModelFolder, kind_of, known_model

CACHE = "cache"  # the folder inside FOLDER that grows with the download
MODEL = "model"  # the folder inside FOLDER that holds the finished model


def main() -> int:
    """Download, check and describe one model."""
    logger.remove()
    name, folder = sys.argv[1], Path(sys.argv[2])
    description = known_model(name)
    try:
        _describe(description, _fetched(description, folder), folder / MODEL)
        FastembedEmbedder(ModelFolder(name, folder / MODEL, description.model), threads=1)
    except (ValueError, OSError, ModelError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _fetched(description: DenseModelDescription, folder: Path) -> Path:
    # One try: between tries fastembed sleeps for up to 27 seconds.
    return kind_of(description.model).download_model(description, str(folder / CACHE), retries=1)


def _describe(description: DenseModelDescription, fetched: Path, into: Path) -> None:
    weights = [description.model_file, *description.additional_files]
    names = [*weights, *(name for name in CONFIGURATION if (fetched / name).is_file())]
    for name in names:
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(fetched / name, into / name)  # the cache has links, the model folder files
    files = {name: digest_of(into / name) for name in sorted(names)}
    write_manifest(into, Manifest(description.model, description.dim or 0, description.license, files))


if __name__ == "__main__":
    sys.exit(main())
