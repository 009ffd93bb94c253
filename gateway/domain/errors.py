"""What the calls of the gateway can fail with by its own decision."""

from serving.errors import Conflict, Exhausted, InvalidInput, Unavailable


class UploadIncomplete(InvalidInput):
    """The upload ended before its announced end: nothing was kept, send it again."""

    reason = "UPLOAD_INCOMPLETE"


class UploadMismatch(InvalidInput):
    """The bytes that came are not those announced: nothing was kept, send them again."""

    reason = "UPLOAD_MISMATCH"


class RequestIdReused(Conflict):
    """The request id was used before for another document or other bytes: use a new one."""

    reason = "REQUEST_ID_REUSED"


class JobEnded(Conflict):
    """The job has ended: it cannot be cancelled."""

    reason = "JOB_ENDED"


class JobNotRetryable(Conflict):
    """Only a failed or cancelled job whose bytes are still kept can be tried again: send the file again."""

    reason = "JOB_NOT_RETRYABLE"


class UploadTooLarge(Exhausted):
    """The file is larger than this server takes."""

    reason = "UPLOAD_TOO_LARGE"
    http_code = 413  # 429 would make clients send it again


class DiskLow(Exhausted):
    """The disk is nearly full: uploads are refused until there is space again."""

    reason = "DISK_LOW"


class BlobsUnavailable(Unavailable):
    """The store cannot be written now."""

    reason = "STORAGE_UNAVAILABLE"


class RagServerUnavailable(Unavailable):
    """The search service cannot be reached; try again. Uploads are accepted meanwhile."""

    reason = "RAG_SERVER_UNAVAILABLE"


class RagServerSlow(RagServerUnavailable):
    """The search service did not answer in the time allowed; try again."""


class NotReady(Unavailable):
    """The server is shutting down; go on with it when it is back."""

    reason = "NOT_READY"
