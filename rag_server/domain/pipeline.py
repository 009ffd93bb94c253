"""What the work on a document depends on besides its bytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Equal bytes under an equal pipeline give an equal version: nothing needs to be done again."""

    version: str  # raised when extraction or chunking give other results
    model_fingerprint: str
