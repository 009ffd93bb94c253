"""Write generated/: Python messages, typed stubs and the descriptor set for Envoy, from the contracts.

Run by `make protos`; a test runs it into another folder and compares.
"""

import shutil
import subprocess
import sys
from pathlib import Path

PROTOS = Path(__file__).parent
THIRD_PARTY = PROTOS / "third_party"
# google.api and google.rpc come from googleapis-common-protos; the rules of buf.validate have no such package.
PYTHON_SOURCES = ["buf/validate/validate.proto"]
# Details of errors must be in the descriptor set, or Envoy cannot write them as JSON.
DESCRIPTOR_ONLY = ["google/rpc/error_details.proto"]


def main() -> None:
    """`python protos/generate.py [FOLDER]`: FOLDER is emptied first; the default is generated/."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PROTOS.parent / "generated"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    own = sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / "acervo").rglob("*.proto"))
    services = [path for path in own if path.endswith("_service.proto")]
    protoc(f"--python_out={target}", f"--mypy_out=quiet:{target}", *own, *PYTHON_SOURCES)
    protoc(f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}", *services)
    binpb = f"--descriptor_set_out={target / 'acervo.binpb'}"
    protoc(binpb, "--include_imports", "--include_source_info", *own, *DESCRIPTOR_ONLY)
    for folder in target.rglob("*"):
        if folder.is_dir():
            (folder / "__init__.py").touch()


def protoc(*arguments: str) -> None:
    """Run the compiler that grpcio-tools brings, with the plugins of this interpreter on its path."""
    plugins = Path(sys.executable).parent
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"-I{THIRD_PARTY}"]
    for name in ("mypy", "mypy_grpc"):
        command.append(f"--plugin=protoc-gen-{name}={plugins / f'protoc-gen-{name}'}")
    subprocess.run([*command, *arguments], check=True)  # noqa: S603 - our own compiler on our own files


if __name__ == "__main__":
    main()
