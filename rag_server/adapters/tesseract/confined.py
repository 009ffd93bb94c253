"""Becomes Tesseract in confinement: `python -m rag_server.adapters.tesseract.confined`.

The picture comes from a process that touched hostile bytes, so the program that decodes it has nothing to steal either:
no network, no writing, no other program, little memory, and of the files only the system's libraries and the languages.
"""

import argparse
import os
from pathlib import Path

from rag_server.adapters.linux.confinement import Program, confine, limit_cpu

_LANGUAGE_FOLDERS = tuple(
    Path(prefix) / folder
    for prefix in ("/usr/share", "/usr/local/share", "/opt/homebrew/share")
    for folder in ("tesseract-ocr", "tessdata")
)
_PAGE_OF_TEXT = "3"  # Tesseract's mode for a page in columns, without asking how it is turned


def main() -> None:
    """Confine this process, then replace it; standard input is the picture, standard output the text."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--parent-pid", type=int, required=True)
    arguments.add_argument("--memory-bytes", type=int, required=True)
    arguments.add_argument("--cpu-s", type=float, required=True)
    arguments.add_argument("--program", type=Path, required=True)
    arguments.add_argument("--languages", required=True)
    options = arguments.parse_args()
    program: Path = options.program.resolve()
    confine(options.memory_bytes, options.parent_pid, Program(program, _language_folders()))
    limit_cpu(options.cpu_s)
    command = [str(program), "stdin", "stdout", "-l", options.languages, "--psm", _PAGE_OF_TEXT]
    # Threads would compete with the embedder's for the same cores.
    os.execve(program, command, {"OMP_THREAD_LIMIT": "1", "LANG": "C.UTF-8", **_chosen_folder()})  # noqa: S606 - no shell


def _language_folders() -> list[Path]:
    return [*_LANGUAGE_FOLDERS, *map(Path, _chosen_folder().values())]


def _chosen_folder() -> dict[str, str]:
    folder = os.environ.get("TESSDATA_PREFIX")
    return {"TESSDATA_PREFIX": folder} if folder else {}


if __name__ == "__main__":
    main()
