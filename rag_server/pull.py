"""Fetch a model, embedder or reranker: `python -m rag_server.pull NAME [--into FOLDER]`, or `--list` for embedders."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from fastembed.common.model_description import BaseModelDescription

from rag_server.adapters.fastembed import download
from rag_server.adapters.fastembed.cross_encoders import known_cross_encoder
from rag_server.adapters.fastembed.manifest import digest_of, read_manifest
from rag_server.adapters.fastembed.models import ModelError, ModelMissing, folder_name, known_model, list_models
from rag_server.settings import models_folder

_FIRST_BYTE_S = 15.0  # a hub that cannot be reached is not waited for longer
_STALLED_S = 60.0
_LOOK_EACH_S = 0.5
_MB = 1_000_000


def main() -> int:
    """Pull or list; ends with status 1 and one sentence on stderr where that fails."""
    parser = argparse.ArgumentParser(prog="python -m rag_server.pull", description=__doc__)
    parser.add_argument("name", nargs="?", help="a model that fastembed knows, such as BAAI/bge-small-en-v1.5")
    parser.add_argument(
        "--into", type=Path, default=models_folder(os.environ), metavar="FOLDER", help="the models folder"
    )
    parser.add_argument("--timeout-s", type=float, default=3600.0)
    parser.add_argument("--list", action="store_true", help="list the bundled, the pulled and the known models")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    arguments = parser.parse_args()
    if arguments.list:
        _print_models(arguments.into, as_json=arguments.json)
        return 0
    if arguments.name is None:
        parser.error("a model's NAME is needed, or --list")
    try:
        description = known_cross_encoder(arguments.name) or known_model(arguments.name)
        _say(pull(description, arguments.into, arguments.timeout_s))
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def pull(description: BaseModelDescription, into: Path, timeout_s: float) -> str:
    """Have the model in the models folder, whole or not at all; says what was done. Raises ModelError."""
    target = into / folder_name(description.model)
    if _is_whole(target):
        return f"{description.model} is on this machine already: {target}"
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".pulling-", dir=into) as scratch:
        folder = Path(scratch)
        with _downloading(description.model, folder) as child:
            _watch(child, folder, description, timeout_s)
        if target.exists():
            target.rename(folder / "replaced")
        (folder / download.MODEL).rename(target)
    return f"{description.model} is ready: {target}"


@contextmanager
def _downloading(name: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A child that downloads, dead with all that it started when the block ends."""
    command = [sys.executable, "-m", download.__name__, name, str(folder)]
    # The hub's library would else keep the files outside of the folder, and draw its own progress bars.
    environment = os.environ | {"HF_HUB_DISABLE_SHARED_BLOBS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    errors = (folder / "errors").open("wb")
    with errors, subprocess.Popen(command, stderr=errors, env=environment, start_new_session=True) as child:  # noqa: S603 - our own module
        try:
            yield child
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)


def _watch(child: "subprocess.Popen[bytes]", folder: Path, description: BaseModelDescription, timeout_s: float) -> None:
    """Report progress until the child has ended well. Raises ModelMissing when it has not, or gets nowhere."""
    started_s = progressed_s = time.monotonic()
    written = shown = 0
    while (status := _ended(child)) is None:
        now_s = time.monotonic()
        fetched = _size_bytes(folder / download.CACHE)
        if (now_written := fetched + _size_bytes(folder / download.MODEL)) > written:
            written, progressed_s = now_written, now_s
        if fetched // _MB > shown:
            shown = fetched // _MB
            _say(f"{shown} MB of about {description.size_in_GB * 1000:.0f} MB")
        patience_s = _STALLED_S if written else _FIRST_BYTE_S
        if now_s - progressed_s > patience_s or now_s - started_s > timeout_s:
            raise ModelMissing(_advice(description.model, f"after {shown} MB nothing more came in time"))
    if status != 0:
        lines = (folder / "errors").read_text("utf-8", "replace").strip().splitlines()
        raise ModelMissing(_advice(description.model, lines[-1] if lines else f"the download ended with {status}"))


def _ended(child: "subprocess.Popen[bytes]") -> int | None:
    try:
        return child.wait(_LOOK_EACH_S)
    except subprocess.TimeoutExpired:
        return None


def _advice(name: str, cause: str) -> str:
    return (
        f"{name} could not be fetched ({cause.rstrip('.')}): check the network, "
        "or copy the model's folder from a machine that has it."
    )


def _size_bytes(folder: Path) -> int:
    size_bytes = 0
    for path in folder.rglob("*"):
        try:
            size_bytes += path.lstat().st_size if path.is_file() else 0
        except FileNotFoundError:  # finished and renamed while we looked
            continue
    return size_bytes


def _is_whole(folder: Path) -> bool:
    manifest = read_manifest(folder)
    if manifest is None:
        return False
    paths = {folder / name: digest for name, digest in manifest.files.items()}
    return all(path.is_file() and digest_of(path) == digest for path, digest in paths.items())


def _print_models(folder: Path, *, as_json: bool) -> None:
    entries = list_models(folder)
    if as_json:
        _say(json.dumps([asdict(entry) for entry in entries]))
        return
    for entry in entries:
        size = f"{entry.size_bytes / _MB:.0f} MB"
        _say(f"{entry.state:8} {entry.name:60} {entry.dimensions:5} dimensions {size:>8}  {entry.licence}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
