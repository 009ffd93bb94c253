"""Names of files and keys as clients send them, made harmless: they are shown, compared and looked up."""

import re
import unicodedata

from serving.errors import InvalidInput

MAX_NAME_CHARS = 255  # of a file, without its folders
MAX_PATH_BYTES = 1_024
# They turn the reading direction or break the line: a name could look like another.
MISLEADING = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
DRIVE = re.compile(r"[A-Za-z]:")


def clean(text: str) -> str:
    """The text in NFC, without control characters and marks that mislead the eye."""
    kept = (c for c in text if c not in MISLEADING and unicodedata.category(c) not in {"Cc", "Cs"})
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def relative_path(name: str) -> str:
    """A file name, or a path below the folder that was sent: no drive, no root, nothing that climbs.

    Raises InvalidInput where nothing is left, or too much.
    """
    steps = [step.strip() for step in clean(name).replace("\\", "/").split("/")]
    steps = [step for step in steps if step not in {"", ".", ".."} and not DRIVE.fullmatch(step)]
    path = "/".join(steps)
    if not path:
        raise InvalidInput("The file name is empty, or made of nothing that can be shown.", field="file_name")
    if len(steps[-1]) > MAX_NAME_CHARS or len(path.encode()) > MAX_PATH_BYTES:
        told = f"A file name has at most {MAX_NAME_CHARS} characters, with its folders {MAX_PATH_BYTES} bytes."
        raise InvalidInput(told, field="file_name")
    return path


def key(text: str) -> str:
    """A document key: any text that can be shown. Raises InvalidInput as `relative_path` does."""
    cleaned = clean(text)
    if not cleaned or len(cleaned.encode()) > MAX_PATH_BYTES:
        raise InvalidInput(f"A document key has 1 to {MAX_PATH_BYTES} bytes that can be shown.", field="document_key")
    return cleaned
