"""Threads that give way: what ingestion computes must not be noticed by searches."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

NICE = 10


def low_priority_executor(name: str) -> ThreadPoolExecutor:
    """One thread, and every thread that it starts (those of onnxruntime among them), at low priority."""
    return ThreadPoolExecutor(1, thread_name_prefix=name, initializer=_give_way)


def _give_way() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
