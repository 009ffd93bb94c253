"""The whole way: a small set through a stack of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEADLINE_S = 180.0


def test_the_last_line_tells_the_quality_of_every_mode(tmp_path: Path) -> None:
    texts = ["As licitações públicas.", "O prazo do contrato.", "A multa de trânsito.", "Uma receita de bolo."]
    corpus = [{"id": f"d{n}", "title": f"Documento {n}", "text": text} for n, text in enumerate(texts)]
    queries = [{"id": "q1", "text": "licitacao"}, {"id": "q2", "text": "multa de transito"}]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)))
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (tmp_path / "qrels.tsv").write_text("q1\td0\t1\nq2\td2\t1\n")
    done = subprocess.run(
        [sys.executable, "-m", "bench.evaluation", "--data", str(tmp_path)],
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["data"], report["model"]) == (str(tmp_path), "bundled")
    assert list(report["modes"]) == ["LEXICAL", "DENSE", "HYBRID"]
    assert report["modes"]["LEXICAL"]["ndcg@10"] == report["modes"]["HYBRID"]["mrr@10"] == 1.0
    assert all(
        set(mode) == {"ndcg@10", "recall@10", "recall@100", "mrr@10", "p50_ms"} for mode in report["modes"].values()
    )
