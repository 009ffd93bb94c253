import os
import subprocess
import sys
from pathlib import Path

EMBED = """
from pathlib import Path
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import resolve
FastembedEmbedder(resolve("bundled", Path("/nowhere")), 1).embed_query("uma frase")
"""


def test_onnxruntime_reports_to_nobody_and_leaves_no_trace_of_a_session(tmp_path: Path) -> None:
    # Where it suspects a test or a build, it keeps still by itself.
    quiet = ("CI", "GITHUB_ACTIONS", "ORT_RUNNING_UNIT_TESTS", "ORT_DISABLE_TELEMETRY")
    inherited = {name: value for name, value in os.environ.items() if name not in quiet}
    environment = {**inherited, "TMPDIR": str(tmp_path), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    root = Path(__file__).parents[4]
    subprocess.run([sys.executable, "-c", EMBED], cwd=root, env=environment, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []
