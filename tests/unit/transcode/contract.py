"""The contract that the transcoder's tests serve, compiled from its .proto when first asked for."""

import functools
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

from gateway.transcode.codec.types import Types

_HERE = Path(__file__).parent / "proto"


def compile_protos(root: Path, *names: str) -> FileDescriptorSet:
    """The descriptors of .proto files below `root`, with imports and comments."""
    shared = Path(annotations_pb2.__file__).parent.parent.parent
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set.binpb"
        code = protoc.main(
            [
                "protoc",
                f"-I{root}",
                f"-I{shared}",
                f"-I{files('grpc_tools') / '_proto'}",
                "--include_imports",
                "--include_source_info",
                f"--descriptor_set_out={out}",
                *names,
            ]
        )
        assert code == 0, f"protoc failed for {names}"
        return FileDescriptorSet.FromString(out.read_bytes())


def compile_text(text: str, folder: Path) -> FileDescriptorSet:
    """The descriptors of one .proto given as text."""
    (folder / "given.proto").write_text(text)
    return compile_protos(folder, "given.proto")


@functools.cache
def library() -> FileDescriptorSet:
    """The descriptors of library.v1."""
    return compile_protos(_HERE, "library/v1/library.proto")


@functools.cache
def talks() -> FileDescriptorSet:
    """The descriptors of library.v1 with its second service, which has what the first has not."""
    descriptors = compile_protos(_HERE, "library/v1/talks.proto")
    for file in descriptors.file:
        if file.name == "library/v1/library.proto":
            del file.service[:]
    return descriptors


@functools.cache
def types() -> Types:
    """The types of library.v1."""
    return Types(library())


def descriptor(name: str) -> Descriptor:
    """A message type of library.v1."""
    found = types().find(f"library.v1.{name}")
    assert found is not None, name
    return found


def make(kind: str, /, **fields: Any) -> Any:
    """A message of library.v1."""
    return types().message_class(descriptor(kind))(**fields)
