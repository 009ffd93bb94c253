"""Compose files as Compose reads them: variables put in, merges applied."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
EXAMPLE = DEPLOY / "compose.env.example"
NAMES = ("embedded", "production")
_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Z_][A-Z0-9_]*)(?::([-?])([^}]*))?\})")


def required() -> dict[str, str]:
    """A value for each variable that an operator has to set."""
    return dict.fromkeys(re.findall(r"^([A-Z_]+)=$", EXAMPLE.read_text(), re.MULTILINE), "0f1e2d")


def load(name: str, variables: Mapping[str, str]) -> Any:
    """The file. Raises LookupError where a variable must be set and is not."""
    return _filled(yaml.safe_load((DEPLOY / f"compose.{name}.yaml").read_text()), variables)


def _filled(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(item, variables) for item in node]
    if not isinstance(node, str):
        return node
    text = _VARIABLE.sub(lambda match: _value(match, variables), node)
    # Where a number is wanted, Compose makes one of a variable; only `replicas` is one.
    return int(text) if _VARIABLE.fullmatch(node) and text.isdecimal() else text


def _value(match: "re.Match[str]", variables: Mapping[str, str]) -> str:
    dollar, name, kind, words = match.groups()
    if dollar:
        return "$"
    if value := variables.get(name, ""):
        return value
    if kind == "-":
        return str(words)
    raise LookupError(f"{name}: {words}")
