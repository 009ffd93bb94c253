"""Envoy in a container: renders its configuration, starts it, and drains it before it ends.

Envoy itself ends at once on SIGTERM. Here a first SIGTERM makes it tell its clients to go elsewhere and take what still
comes for `--drain-s`; a second one ends it. What else is on the command line goes to envoy/render.py.
"""

import argparse
import contextlib
import http.client
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[2]
LEASH = ROOT / "cli" / "leash.py"  # Envoy ends with this program, even where that is killed
ADMIN_ANSWERS_S = 2.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
LOG_LINE = '{"time":"%Y-%m-%dT%T.%f%z","event":"envoy","level":"%l","logger":"%n","message":"%j"}'


class Stopped(Exception):
    """Somebody asked this program to stop."""


def main() -> int:
    """The exit status is Envoy's own where it ends by itself, and 0 where it was asked to."""
    asked, for_renderer = _parser().parse_known_args()
    asked.config.write_text(_render(asked.admin, for_renderer), encoding="utf-8")
    with subprocess.Popen(_command(asked)) as envoy:  # noqa: S603 - ours
        try:
            with _stopping():
                return envoy.wait()
        except Stopped:
            with contextlib.suppress(Stopped), _stopping():
                _drain(envoy, asked.admin, asked.drain_s)
            envoy.terminate()
            return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--admin", default="127.0.0.1:9901", metavar="HOST:PORT", help="on loopback")
    parser.add_argument("--config", type=Path, default=Path("/tmp/envoy.yaml"), help="where to write it")  # noqa: S108 - a private tmpfs of the container
    parser.add_argument("--concurrency", type=int, default=2, help="threads of Envoy")
    parser.add_argument("--drain-s", type=int, default=10, help="how long clients have to go elsewhere")
    return parser


def _render(admin: str, arguments: list[str]) -> str:
    command = [sys.executable, str(ROOT / "envoy" / "render.py"), "--admin", admin]
    command += ["--descriptors", str(ROOT / "generated" / "acervo.binpb"), *arguments]
    if largest := os.environ.get("ACERVO_MAX_UPLOAD_BYTES", ""):
        command += ["--max-upload-bytes", largest]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def _command(asked: argparse.Namespace) -> list[str]:
    envoy = Path(sysconfig.get_path("scripts"), "envoy")  # becomes the binary, with the same process id
    command = [
        sys.executable,
        "-I",
        "-S",
        str(LEASH),
        str(os.getpid()),
        str(envoy),
        "-c",
        str(asked.config),
        "--disable-hot-restart",
    ]
    command += ["--concurrency", str(asked.concurrency), "--drain-time-s", str(asked.drain_s)]
    # On an error Envoy's own `http` logs whole paths, and a path can hold a search.
    return [*command, "--log-level", "warning", "--component-log-level", "http:critical", "--log-format", LOG_LINE]


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """Within the block a signal to stop raises Stopped."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Stopped

    before = [signal.signal(number, stop) for number in STOP_SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(STOP_SIGNALS, before, strict=True):
            signal.signal(number, handler)


def _drain(envoy: "subprocess.Popen[bytes]", admin: str, drain_s: int) -> None:
    # First `/ready` says no, then every answer sends its client elsewhere and, in the end, the edge stops listening.
    for path in ("/healthcheck/fail", "/drain_listeners?graceful&skip_exit"):
        connection = http.client.HTTPConnection(admin, timeout=ADMIN_ANSWERS_S)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("POST", path)
            connection.getresponse().read()
    with contextlib.suppress(subprocess.TimeoutExpired):
        envoy.wait(drain_s)


if __name__ == "__main__":
    sys.exit(main())
