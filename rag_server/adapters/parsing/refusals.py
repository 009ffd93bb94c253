"""Why a reader gives a file up: a closed list of codes, which alone cross the process boundary.

The parser child may have been taken over by what it reads, so it cannot send sentences: the parent looks them up here.
"""

from collections.abc import Mapping
from enum import StrEnum

from rag_server.domain.failure import Failure, FailureReason


class Refusal(StrEnum):
    """The code of a refusal. Its reason and its sentence are in `failure_of`."""

    EMPTY_FILE = "EMPTY_FILE"
    NO_TEXT = "NO_TEXT"
    PICTURE = "PICTURE"
    OTHER_PICTURE = "OTHER_PICTURE"
    ENCRYPTED = "ENCRYPTED"
    COPY_PROTECTED = "COPY_PROTECTED"
    CORRUPT = "CORRUPT"
    NOT_WHAT_ITS_NAME_SAYS = "NOT_WHAT_ITS_NAME_SAYS"
    BROKEN_ARCHIVE = "BROKEN_ARCHIVE"
    UNSAFE_ARCHIVE = "UNSAFE_ARCHIVE"
    UNSAFE_XML = "UNSAFE_XML"
    UNKNOWN_KIND = "UNKNOWN_KIND"
    PROGRAM = "PROGRAM"
    ZIP_ARCHIVE = "ZIP_ARCHIVE"
    OTHER_ARCHIVE = "OTHER_ARCHIVE"
    LEGACY_WORD = "LEGACY_WORD"
    LEGACY_EXCEL = "LEGACY_EXCEL"
    LEGACY_POWERPOINT = "LEGACY_POWERPOINT"
    BINARY_WORKBOOK = "BINARY_WORKBOOK"
    OPEN_DOCUMENT = "OPEN_DOCUMENT"
    SOUND_OR_FILM = "SOUND_OR_FILM"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"


class Refused(Exception):
    """The file cannot be read, and why. `detail` never holds document text."""

    def __init__(self, refusal: Refusal, **detail: str) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal
        self.detail = detail


def limit_exceeded(which: str, asked: float, allowed: float) -> Refused:
    """Something about the file is larger than allowed; `which` is the limit's name."""
    return Refused(Refusal.LIMIT_EXCEEDED, which=which, asked=f"{asked:.0f}", allowed=f"{allowed:.0f}")


def failure_of(refusal: Refusal, detail: Mapping[str, str]) -> Failure:
    """The failure that people are told, with the refusal's own sentence where it has one."""
    reason, sentence = _FAILURES.get(refusal, (None, ""))
    return Failure(reason or FailureReason(refusal.value), sentence, dict(detail))


_FAILURES: Mapping[Refusal, tuple[FailureReason, str]] = {
    Refusal.EMPTY_FILE: (FailureReason.NO_TEXT, "The file is empty."),
    Refusal.PICTURE: (FailureReason.NO_TEXT, "The file is a picture, and text in pictures is not read."),
    Refusal.OTHER_PICTURE: (
        FailureReason.NO_TEXT,
        "The file is a picture of a kind whose text is not read: save it as PNG, JPEG, TIFF or PDF and send that.",
    ),
    Refusal.COPY_PROTECTED: (
        FailureReason.ENCRYPTED,
        "The book is copy-protected: send a copy without protection.",
    ),
    Refusal.NOT_WHAT_ITS_NAME_SAYS: (
        FailureReason.CORRUPT,
        "The file is not what its name says: it is damaged or carries the wrong ending.",
    ),
    Refusal.BROKEN_ARCHIVE: (
        FailureReason.CORRUPT,
        "The file is damaged or was cut off: send an intact copy.",
    ),
    Refusal.UNSAFE_ARCHIVE: (
        FailureReason.CORRUPT,
        "The file is built to do harm: the names or places of its parts are not allowed.",
    ),
    Refusal.UNSAFE_XML: (
        FailureReason.CORRUPT,
        "The file is built to do harm: it declares entities, which such files never need.",
    ),
    Refusal.PROGRAM: (FailureReason.UNSUPPORTED, "The file is a program, not a document."),
    Refusal.ZIP_ARCHIVE: (
        FailureReason.UNSUPPORTED,
        "ZIP archives are not read: unpack it and send the files.",
    ),
    Refusal.OTHER_ARCHIVE: (
        FailureReason.UNSUPPORTED,
        "Archives are not read: unpack it and send the files.",
    ),
    Refusal.LEGACY_WORD: (
        FailureReason.UNSUPPORTED,
        "The old Word format (.doc) is not read: save it as .docx or PDF and send that.",
    ),
    Refusal.LEGACY_EXCEL: (
        FailureReason.UNSUPPORTED,
        "The old Excel format (.xls) is not read: save it as .xlsx or CSV and send that.",
    ),
    Refusal.LEGACY_POWERPOINT: (
        FailureReason.UNSUPPORTED,
        "The old PowerPoint format (.ppt) is not read: save it as .pptx or PDF and send that.",
    ),
    Refusal.BINARY_WORKBOOK: (
        FailureReason.UNSUPPORTED,
        "Binary workbooks (.xlsb) are not read: save it as .xlsx and send that.",
    ),
    Refusal.OPEN_DOCUMENT: (
        FailureReason.UNSUPPORTED,
        "Only texts, spreadsheets and presentations of OpenDocument are read: save it as PDF and send that.",
    ),
    Refusal.SOUND_OR_FILM: (FailureReason.UNSUPPORTED, "Sound and film are not read."),
    Refusal.UNKNOWN_KIND: (FailureReason.UNSUPPORTED, ""),
}
