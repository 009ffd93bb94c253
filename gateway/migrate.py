"""Brings the gateway's tables to another revision: `python -m gateway.migrate --help`."""

import sys
from pathlib import Path

from gateway import migrations
from storage.migrating import main

if __name__ == "__main__":
    sys.exit(main("gateway", Path(migrations.__file__).parent))
