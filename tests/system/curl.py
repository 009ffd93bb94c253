"""The real curl, as the README shows it."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What curl printed: `-i` puts the head before the body."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """Of the google.rpc.Status that an error is."""
        details = self.json["details"]
        (info,) = (detail for detail in details if detail["@type"].endswith("/google.rpc.ErrorInfo"))
        assert info["domain"] == "acervo"
        return str(info["reason"])


def curl(*arguments: str) -> Answer:
    """Run curl and take its answer apart. Interim answers (100 Continue) are dropped."""
    done = subprocess.run(
        ["curl", "-sS", "-i", "--noproxy", "*", "--max-time", "100", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    rest = done.stdout
    head = ""
    while rest.startswith("HTTP/") and (not head or head.split()[1] == "100"):
        head, _, rest = rest.partition("\n\n")
    lines = head.splitlines()
    pairs = (line.partition(":") for line in lines[1:])
    return Answer(int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, rest)
