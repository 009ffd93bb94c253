"""How well the process that reads documents is shut in."""

from collections.abc import Sequence

# Beside the limits on memory, time and files, which every kernel has: the layers by their names in a level.
SANDBOX = ("seccomp", "landlock")


def missing_layers(level: str) -> Sequence[str]:
    """What the sandbox lacks. `level` is what the process said: its layers joined by "+", some with a version."""
    layers = level.split("+")
    return [name for name in SANDBOX if not any(layer.startswith(name) for layer in layers)]
