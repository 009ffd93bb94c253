"""A model hub on loopback that has one model: the files of a folder, in the shape huggingface_hub asks for."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Mood(Enum):
    """Whether the hub serves, or falls silent at the first or at a later question."""

    SERVING = "serving"
    SILENT = "silent"
    SILENT_AT_TREE = "silent at tree"


@contextmanager
def model_hub(repository: str, folder: Path, mood: Mood = Mood.SERVING) -> Iterator[str]:
    """The address of a hub that holds `folder` as `repository`."""
    released = threading.Event()
    handler = type("_Bound", (_Hub,), {"repository": repository, "folder": folder, "mood": mood, "released": released})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, name="model-hub")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        released.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repository: str
    folder: Path
    mood: Mood
    released: threading.Event

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if self.mood is Mood.SILENT or (self.mood is Mood.SILENT_AT_TREE and "/tree/" in path):
            self.released.wait()
            self.close_connection = True
        elif path.startswith(f"/api/models/{self.repository}/tree/"):
            self._answer(json.dumps([self._entry(file) for file in self._files()]).encode())
        elif path.startswith(f"/api/models/{self.repository}"):
            siblings = [{"rfilename": self._name(file)} for file in self._files()]
            self._answer(json.dumps({"id": self.repository, "sha": _COMMIT, "siblings": siblings}).encode())
        elif path.startswith(f"/{self.repository}/resolve/") and (file := self._asked(path)) in self._files():
            self._answer(file.read_bytes())
        else:
            self._answer(b"", status=404)

    do_HEAD = do_GET  # noqa: N815 - the name http.server looks for

    def _files(self) -> list[Path]:
        return sorted(file for file in self.folder.rglob("*") if file.is_file())

    def _name(self, file: Path) -> str:
        return str(file.relative_to(self.folder))

    def _asked(self, path: str) -> Path:
        """The file behind `/{repository}/resolve/{revision}/{name}`."""
        return self.folder / path.removeprefix(f"/{self.repository}/resolve/").partition("/")[2]

    def _entry(self, file: Path) -> dict[str, object]:
        content = file.read_bytes()
        return {
            "type": "file",
            "path": self._name(file),
            "size": len(content),
            "oid": hashlib.sha1(content).hexdigest(),  # noqa: S324 - the hub's own choice
        }

    def _answer(self, content: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')  # noqa: S324 - the hub's own choice
        self.send_header("X-Repo-Commit", _COMMIT)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass
