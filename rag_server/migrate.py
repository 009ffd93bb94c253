"""Brings the rag_server's tables to another revision: `python -m rag_server.migrate --help`."""

import sys
from pathlib import Path

from rag_server import migrations
from storage.migrating import main

if __name__ == "__main__":
    sys.exit(main("rag_server", Path(migrations.__file__).parent))
