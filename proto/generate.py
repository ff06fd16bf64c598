"""Generates flick/v1 from the contract: message and service stubs, their types, and descriptors.binpb with source info.

Run by `make proto` and, into a temporary folder, by the contract test that proves the committed stubs fresh.
"""

import sys
import sysconfig
from pathlib import Path

from grpc_tools import protoc

PROTO_ROOT = Path(__file__).parent
HEADER = '"""Generated from proto/flick/v1 by `make proto`; never edited."""\n'


def generate(*, destination: Path) -> None:
    """Write the package `flick/v1` below `destination`. Raises SystemExit naming protoc's status when it fails."""
    package = destination / "flick" / "v1"
    package.mkdir(parents=True, exist_ok=True)
    sources = sorted((PROTO_ROOT / "flick" / "v1").glob("*.proto"))
    services = [path for path in sources if "\nservice " in path.read_text()]
    _protoc(
        sources,
        f"--python_out={destination}",
        f"--mypy_out=quiet:{destination}",
        f"--descriptor_set_out={package / 'descriptors.binpb'}",
        "--include_imports",
        "--include_source_info",
    )
    _protoc(services, f"--grpc_python_out={destination}", f"--mypy_grpc_out=quiet:{destination}")
    (package / "__init__.py").write_text(HEADER)


def _protoc(sources: list[Path], *outputs: str) -> None:
    scripts = Path(sysconfig.get_path("scripts"))
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={PROTO_ROOT}",
            f"--proto_path={sysconfig.get_path('purelib')}",  # google/api and google/rpc of googleapis-common-protos
            f"--proto_path={Path(protoc.__file__).parent / '_proto'}",  # google/protobuf
            f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
            *outputs,
            *(path.relative_to(PROTO_ROOT).as_posix() for path in sources),
        ]
    )
    if status != 0:
        sys.exit(f"protoc failed with status {status}")


if __name__ == "__main__":
    generate(destination=PROTO_ROOT.parent)
