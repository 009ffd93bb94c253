"""A Dockerfile as data: its stages, and what holds for an image in the end."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
IMAGES = ("gateway", "serve", "work", "command", "envoy")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, continuation lines joined, its flags apart."""

    name: str
    flags: tuple[str, ...]
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def exec_form(self) -> list[str]:
        """The list that it holds. Raises ValueError where it holds a line for a shell."""
        listed = json.loads(self.text)
        if not all(isinstance(word, str) for word in listed):
            raise ValueError(self.text)
        return list(listed)


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands between a FROM and the next. `base` is an image, or the name of an earlier stage."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]


def instructions() -> list[Instruction]:
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [_instruction(line) for line in joined.splitlines() if line.strip()]


def stages() -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    inside: list[Instruction] = []
    for instruction in instructions():
        if instruction.name == "FROM":
            base, _, name = instruction.words
            inside = []
        elif not found and not inside and instruction.name == "ARG":
            continue
        else:
            inside.append(instruction)
        found[name] = Stage(name, base, tuple(inside))
    return found


def lineage(name: str) -> list[Stage]:
    """The stages that an image is made of, the first one first."""
    known = stages()
    stage = known[name]
    return [*(lineage(stage.base) if stage.base in known else []), stage]


def last(image: str, name: str) -> Instruction:
    """The instruction that counts."""
    return [each for stage in lineage(image) for each in stage.instructions if each.name == name][-1]


def variables(image: str) -> dict[str, str]:
    """What ENV sets in an image."""
    lines = [each for stage in lineage(image) for each in stage.instructions if each.name == "ENV"]
    pairs = (word.partition("=") for line in lines for word in line.words)
    return {name: value for name, _, value in pairs}


def _instruction(line: str) -> Instruction:
    name, _, rest = line.strip().partition(" ")
    flags = []
    while match := re.match(r"(--\S+)\s+", rest.lstrip()):
        flags.append(match[1])
        rest = rest.lstrip()[match.end() :]
    return Instruction(name, tuple(flags), rest.strip())
