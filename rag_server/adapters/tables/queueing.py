"""The queue as a whole, in statements that both databases understand."""

from typing import Any

from rag_server.domain.queue import Queue

# A condition on a claim.
NOT_PAUSED = "NOT EXISTS (SELECT 1 FROM queue_state WHERE pause_time IS NOT NULL)"

RESUME = "UPDATE queue_state SET pause_time = NULL"

LOOK = """
SELECT (SELECT pause_time FROM queue_state), count(*) FILTER (WHERE state = 'QUEUED'),
  count(*) FILTER (WHERE state = 'RUNNING'), min(create_time) FILTER (WHERE state = 'QUEUED')
FROM job WHERE state IN ('QUEUED', 'RUNNING')
"""


def queue_from_row(row: Any, now: float) -> Queue:
    """What `LOOK` found."""
    pause_time, queued, running, oldest = row
    return Queue(pause_time, queued, running, None if oldest is None else max(0.0, now - oldest))
