"""The client's own id of a request, which may come as a header and as a field."""

from serving.errors import InvalidInput
from serving.interceptors import Context

HEADER = "idempotency-key"


def agreed_request_id(context: Context, request_id: str) -> str:
    """What the header and the field say together. Raises InvalidInput where they differ."""
    headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    return agreed(headers.get(HEADER, ""), request_id)


def agreed(header: str, request_id: str) -> str:
    """The same for a header that was taken out already."""
    key = header.strip().removeprefix('"').removesuffix('"')
    if key and request_id not in {"", key}:
        raise InvalidInput("Idempotency-Key and request_id differ.", field="request_id")
    return key or request_id
