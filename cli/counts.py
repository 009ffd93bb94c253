"""What a job about several documents did, in words."""

from collections.abc import Mapping

from acervo.rag.v1.job_pb2 import DocumentCounts

COUNTED = ("created", "updated", "unchanged", "deleted", "superseded", "rejected")


def counts_text(counts: Mapping[str, int]) -> str:
    """`3 created, 1 updated`; empty where nothing was done."""
    return ", ".join(f"{counts[name]} {name}" for name in COUNTED if counts.get(name))


def of_message(counts: DocumentCounts) -> str:
    """The same for the message of a job."""
    return counts_text({name: getattr(counts, name) for name in COUNTED})
