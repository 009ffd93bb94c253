"""Structured logs: one JSON object per line on standard error, fields instead of sentences.

Document text, query text and keys are never logged.
"""

import logging
import os
import sys
from typing import IO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from serving import trace
from serving.redaction import redacted

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
TALKATIVE = ("alembic",)


def configure(service: str, level: str = "INFO", stream: IO[str] | None = None) -> None:
    """Set logging up for a whole process. Lines of libraries take the same form."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _identity(service),
        structlog.processors.format_exc_info,
        _without_passwords,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    render: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(),
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=render, foreign_pre_chain=shared))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in TALKATIVE:
        logging.getLogger(library).setLevel(logging.WARNING)


def get(name: str) -> FilteringBoundLogger:
    """The logger of a module."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def _without_passwords(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redacted(value)
    return event


def _identity(service: str) -> Processor:
    pid = os.getpid()

    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        event["pid"] = pid
        request = trace.CURRENT.get()
        if request is not None:
            event.setdefault("request_id", request.request_id)
            event.setdefault("trace_id", request.trace_id)
        return event

    return add
