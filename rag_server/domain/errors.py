"""What the calls of the rag_server can fail with."""

from serving.errors import Conflict, Exhausted, InvalidInput, NotFound, Unavailable


class JobNotFound(NotFound):
    """There is no such job."""

    reason = "JOB_NOT_FOUND"


class DocumentNotFound(NotFound):
    """There is no such document, or it was deleted."""

    reason = "DOCUMENT_NOT_FOUND"


class CollectionNotFound(NotFound):
    """There is no such collection; a collection is made by its first document."""

    reason = "COLLECTION_NOT_FOUND"


class BlobNotFound(NotFound):
    """The referenced bytes are not in the blob store, or have another size."""

    reason = "BLOB_NOT_FOUND"


class ModelNotFound(NotFound):
    """There is no such model here: the list of models shows the names."""

    reason = "MODEL_NOT_FOUND"


class VersionGone(NotFound):
    """The version of the document that was asked for is not the current one: its text is no longer kept."""

    reason = "VERSION_GONE"


class JobEnded(Conflict):
    """The job has ended: it cannot be cancelled."""

    reason = "JOB_ENDED"


class JobNotRetryable(Conflict):
    """Only a failed, cancelled or dead job can be tried again."""

    reason = "JOB_NOT_RETRYABLE"


class RequestIdReused(Conflict):
    """The request id was used before for another document or other bytes: use a new one."""

    reason = "REQUEST_ID_REUSED"


class RerankerNotConfigured(Conflict):
    """No reranker is configured here: the operator sets ACERVO_RERANKER to a cross-encoder and starts it again."""

    reason = "RERANKER_NOT_CONFIGURED"


class TextTooLong(InvalidInput):
    """A text is longer than the model reads: shorten it or have it cut."""

    reason = "TEXT_TOO_LONG"


class InvalidFilter(InvalidInput):
    """The filter cannot be understood, or is too large."""

    reason = "INVALID_FILTER"


class UploadIncomplete(InvalidInput):
    """The upload ended without its end message: nothing was kept, send it again."""

    reason = "UPLOAD_INCOMPLETE"


class UploadMismatch(InvalidInput):
    """The bytes that came are not those announced: nothing was kept, send them again."""

    reason = "UPLOAD_MISMATCH"


class UploadTooLarge(Exhausted):
    """The file is larger than this server takes."""

    reason = "UPLOAD_TOO_LARGE"
    http_code = 413  # 429 would make clients send it again


class DiskLow(Exhausted):
    """The disk is nearly full: uploads are refused until there is space again."""

    reason = "DISK_LOW"


class IndexBehind(Unavailable):
    """The index has not reached the requested sequence in time."""

    reason = "INDEX_BEHIND"


class NotReady(Unavailable):
    """The server is starting or shutting down."""

    reason = "NOT_READY"
