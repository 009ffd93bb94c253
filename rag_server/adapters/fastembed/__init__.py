"""Embedding through fastembed, always from files that are on this machine."""

import os
from pathlib import Path

# A folder that is there: fastembed would else make one for downloads, in the temporary folder, and never use it.
os.environ.setdefault("FASTEMBED_CACHE_PATH", str(Path(__file__).parent))
