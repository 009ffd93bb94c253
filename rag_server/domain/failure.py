"""Why a document could not be taken in: the closed list, one human sentence each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class FailureReason(StrEnum):
    """The value is the reason of the contract's ErrorReason; the sentence is in SENTENCES."""

    NO_TEXT = "NO_TEXT"
    ENCRYPTED = "ENCRYPTED"
    CORRUPT = "CORRUPT"
    UNSUPPORTED = "UNSUPPORTED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    TIMEOUT = "TIMEOUT"
    PARSER_CRASHED = "PARSER_CRASHED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    BLOB_MISSING = "BLOB_MISSING"
    WORKER_CRASHED = "WORKER_CRASHED"
    INTERNAL = "INTERNAL"


SENTENCES: Mapping[FailureReason, str] = {
    FailureReason.NO_TEXT: "The file has no text: it is empty or made of pictures only.",
    FailureReason.ENCRYPTED: "The file is protected by a password: save it without one and send it again.",
    FailureReason.CORRUPT: "The file is damaged and cannot be read: send an intact copy.",
    FailureReason.UNSUPPORTED: "This kind of file cannot be read: convert it to PDF, DOCX or text.",
    FailureReason.LIMIT_EXCEEDED: "The file exceeds a limit of this server.",
    FailureReason.TIMEOUT: "Reading the file took longer than allowed.",
    FailureReason.PARSER_CRASHED: "The program that reads this kind of file crashed on it.",
    FailureReason.OUT_OF_MEMORY: "Reading the file needs more memory than allowed.",
    FailureReason.BLOB_MISSING: "The stored bytes of the file are missing or altered: send the file again.",
    FailureReason.WORKER_CRASHED: "The worker died on this file repeatedly; the file is set aside.",
    FailureReason.INTERNAL: "The server failed on this file; the operator finds the cause in its log.",
}


_OF_A_LIMIT = {"which", "asked", "allowed"}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed. `detail` names limits and amounts (which, asked, allowed); never document text."""

    reason: FailureReason
    message: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The sentence for people: the message where one was given, else that of the reason."""
        if self.reason is FailureReason.LIMIT_EXCEEDED and not self.message and self.detail.keys() >= _OF_A_LIMIT:
            return "The file exceeds a limit of this server: {which} is {asked}, and {allowed} is allowed.".format(
                **self.detail
            )
        return self.message or SENTENCES[self.reason]


class IngestionFailed(Exception):
    """The input is at fault; trying again by itself would not help."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason.value)
        self.failure = failure
