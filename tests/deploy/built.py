"""An image's files without a container engine: what COPY takes from the project, in a folder that cannot be written."""

import os
import shutil
from pathlib import Path

from tests.deploy.dockerfile import ROOT, lineage, stages

APPLICATION = "/opt/acervo"


def build(image: str, folder: Path) -> Path:
    """The application folder of an image, without the packages of pip: these are the environment of the tests."""
    for stage in lineage(image):
        _copy(stage.name, folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


def _copy(stage: str, folder: Path) -> None:
    for each in stages()[stage].instructions:
        if each.name != "COPY":
            continue
        *sources, target = each.words
        if not each.flags:
            for source in sources:
                _place(source, target, folder)
        elif sources == [APPLICATION]:  # all of a stage; what else is copied from stages are packages
            _copy(each.flags[0].removeprefix("--from="), folder)


def _place(source: str, target: str, folder: Path) -> None:
    into = target.endswith("/")
    place = folder / target / Path(source).name if into else folder / target
    place.parent.mkdir(parents=True, exist_ok=True)
    if (ROOT / source).is_dir():
        shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copyfile(ROOT / source, place)


def writable_again(folder: Path) -> None:
    """So that the folder can be removed."""
    for path, _, _ in os.walk(folder):
        Path(path).chmod(0o755)
