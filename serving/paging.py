"""Page tokens: opaque, and bound to the query that they continue."""

import base64
import hashlib
import json

from serving.errors import InvalidInput

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 250


class InvalidPageToken(InvalidInput):
    """The page token does not belong to this query: begin again without one."""

    reason = "INVALID_PAGE_TOKEN"


def encode(position: str, *query: str) -> str:
    """A token that continues `query` after `position`."""
    return base64.urlsafe_b64encode(json.dumps([_digest(query), position]).encode()).decode()


def decode(token: str, *query: str) -> str:
    """The position in a token; empty for the empty token. Raises InvalidPageToken."""
    if not token:
        return ""
    try:
        digest, position = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise InvalidPageToken(field="page_token") from error
    if digest != _digest(query) or not isinstance(position, str):
        raise InvalidPageToken(field="page_token")
    return position


def _digest(query: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(query).encode()).hexdigest()[:16]
