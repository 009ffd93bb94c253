"""The one row that says whether the queue is paused."""

# A condition on a claim, as both engines take it.
NOT_PAUSED = "NOT EXISTS (SELECT 1 FROM queue_state WHERE id = 1 AND pause_time IS NOT NULL)"
