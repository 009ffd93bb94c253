"""Reading settings from ACERVO_* variables: each with its form, all names known, mistakes told in one sentence."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from serving.errors import Unusable

PREFIX = "ACERVO_"
MAX_PORT = 65_535

# Every name that some program of Acervo reads: deploy/env.example explains them, a test compares.
KNOWN = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "BLOBS",
        "EMBED_THREADS",
        "FAILPOINT",
        "GATEWAY_LISTEN",
        "LOG_LEVEL",
        "MAX_UPLOAD_BYTES",
        "MIN_FREE_BYTES",
        "MODEL",
        "MODELS_FOLDER",
        "OCR",
        "PDF_ENGINE",
        "RAG_LISTEN",
        "RAG_SERVER",
        "REDIS",
        "REPLICA",
        "RERANKER",
        "REQUIRE_SANDBOX",
        "SERVER",
        "STORE",
        "TEST_DATA",
        "VECTORS",
    )
)


class SettingsError(Unusable):
    """The environment holds a setting that cannot be used."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables of a process. Reading raises SettingsError with the name and what is expected."""

    variables: Mapping[str, str]

    def refuse_unknown(self) -> None:
        """Raise for an ACERVO_* name that nothing reads: most often a misspelling."""
        for name in sorted(self.variables):
            if name.startswith(PREFIX) and name not in KNOWN:
                near = difflib.get_close_matches(name, KNOWN, n=1)
                hint = f"; did you mean {near[0]}?" if near else "; deploy/env.example lists all"
                raise SettingsError(f"{name} is not a setting of Acervo{hint}")

    def text(self, name: str, default: str) -> str:
        """The value, or the default where it is unset or empty."""
        return self.variables.get(PREFIX + name, "") or default

    def integer(self, name: str, default: int, minimum: int, maximum: int) -> int:
        """A whole number within the bounds."""
        given = self.text(name, str(default))
        try:
            value = int(given)
        except ValueError:
            raise SettingsError(f"{PREFIX}{name} must be a whole number, not {given!r}") from None
        if not minimum <= value <= maximum:
            raise SettingsError(f"{PREFIX}{name} must be from {minimum} to {maximum}, not {value}")
        return value

    def optional_integer(self, name: str, minimum: int, maximum: int) -> int | None:
        """A whole number within the bounds; None where it is unset or empty."""
        return self.integer(name, minimum, minimum, maximum) if self.text(name, "") else None

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self.text(name, default)
        if value not in choices:
            raise SettingsError(f"{PREFIX}{name} must be one of {', '.join(choices)}, not {value!r}")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """`true` or `false`."""
        return self.choice(name, "true" if default else "false", ("true", "false")) == "true"

    def address(self, name: str, default: str) -> str:
        """A host and a port, `host:port`."""
        value = self.text(name, default)
        if not _is_address(value):
            raise SettingsError(f"{PREFIX}{name} must be HOST:PORT, not {value!r}")
        return value

    def addresses(self, name: str, default: str) -> tuple[str, ...]:
        """One or several of them, with commas between; each once, in their order."""
        given = [part.strip() for part in self.text(name, default).split(",")]
        for value in given:
            if not _is_address(value):
                raise SettingsError(f"{PREFIX}{name} must be HOST:PORT, or several with commas between, not {value!r}")
        return tuple(dict.fromkeys(given))


def _is_address(value: str) -> bool:
    host, colon, port = value.rpartition(":")
    return bool(host and colon and port.isdigit() and int(port) <= MAX_PORT)
