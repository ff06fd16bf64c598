"""Message types by name: the pool of the descriptors given, and behind it the process's own."""

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

# Importing a generated module registers its types: the details of an error are readable whatever the contract imports.
REGISTERED = (
    any_pb2,
    duration_pb2,
    empty_pb2,
    error_details_pb2,
    field_mask_pb2,
    status_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)


WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
HTTP_BODY = "google.api.HttpBody"
EMPTY = "google.protobuf.Empty"
# Inside an Any these stand under "value"; every other type spreads its fields beside "@type".
VALUE_TYPES = (
    WRAPPERS
    | {EMPTY}
    | {
        f"google.protobuf.{name}"
        for name in ("Timestamp", "Duration", "FieldMask", "Struct", "Value", "ListValue", "Any")
    }
)


class Types:
    """Finds message types by full name and makes their classes.

    `descriptors` go into a pool of their own, so that nothing generated is needed; a name that is not among them is
    looked up in the default pool (google.rpc.* in the details of an error).
    """

    def __init__(self, descriptors: descriptor_pb2.FileDescriptorSet | None = None) -> None:
        self.pool = descriptor_pool.DescriptorPool() if descriptors is not None else descriptor_pool.Default()
        for file in _in_order(descriptors) if descriptors is not None else ():
            try:
                self.pool.Add(file)
            except TypeError as error:  # names what the file refers to and the set does not have
                raise ValueError(f"the descriptor set does not hold together: {error}") from None

    def find(self, full_name: str) -> Descriptor | None:
        """The message type of that name, or None."""
        for pool in (self.pool, descriptor_pool.Default()):
            try:
                return pool.FindMessageTypeByName(full_name)
            except KeyError:
                continue
        return None

    @staticmethod
    def message_class(descriptor: Descriptor) -> type[Message]:
        """The class whose instances carry this very descriptor."""
        return message_factory.GetMessageClass(descriptor)


def map_entry(field: FieldDescriptor) -> Descriptor | None:
    """The entry type (fields `key` and `value`) of a map field; None for every other field."""
    kind = field.message_type
    return kind if kind is not None and kind.GetOptions().map_entry else None


def _in_order(descriptors: descriptor_pb2.FileDescriptorSet) -> list[descriptor_pb2.FileDescriptorProto]:
    """Imports before importers, as a pool wants them; ValueError names a file that is imported but missing."""
    files = {file.name: file for file in descriptors.file}
    ordered: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def visit(name: str, importer: str) -> None:
        if name in ordered:
            return
        if name not in files:
            raise ValueError(f"{importer} imports {name}, which the descriptor set lacks: use protoc --include_imports")
        for dependency in files[name].dependency:
            visit(dependency, name)
        ordered[name] = files[name]

    for name in files:
        visit(name, name)
    return list(ordered.values())
