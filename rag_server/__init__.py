"""Jobs, documents and search."""

import os

# onnxruntime tells its maker who uses it and how, unless this is set before it is loaded, by whichever program.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
