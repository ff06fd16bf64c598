"""The contract's comments by full name of what they stand at, split into a summary and the whole."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

_INTERNAL = re.compile(r"\(--.*?--\)", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9`\"'(])")

# Field numbers of descriptor.proto, of which the paths in SourceCodeInfo are made.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE = 4, 5, 6
_MESSAGE_FIELD, _MESSAGE_NESTED, _MESSAGE_ENUM, _MESSAGE_ONEOF = 2, 3, 4, 8
_ENUM_VALUE, _SERVICE_METHOD = 2, 2

_Place = tuple[tuple[int, ...], str]


@dataclass(frozen=True, slots=True)
class Comment:
    """What the contract says about one of its parts; empty texts where it says nothing."""

    text: str = ""

    @property
    def summary(self) -> str:
        """The first sentence of the first paragraph, without its full stop."""
        paragraph = self.text.split("\n\n", 1)[0].replace("\n", " ")
        return _SENTENCE.split(paragraph, maxsplit=1)[0].removesuffix(".")

    @property
    def description(self) -> str:
        """The whole text where it says more than the summary, else nothing."""
        return "" if self.text.removesuffix(".") == self.summary else self.text


class Comments:
    """Looks comments up by full name, such as `library.v1.Book.title`; needs descriptors with source info."""

    def __init__(self, descriptors: FileDescriptorSet) -> None:
        self._comments = {name: comment for file in descriptors.file for name, comment in _of_file(file)}

    def of(self, full_name: str) -> Comment:
        """The comment at that name, or an empty one."""
        return self._comments.get(full_name, _NONE)


_NONE = Comment()


def _of_file(file: FileDescriptorProto) -> Iterator[tuple[str, Comment]]:
    places = dict(_file_places(file))
    for location in file.source_code_info.location:
        name = places.get(tuple(location.path))
        text = _clean(location.leading_comments or location.trailing_comments)
        if name is not None and text:
            yield name, Comment(text)


def _clean(text: str) -> str:
    lines = [line.removeprefix(" ").rstrip() for line in _INTERNAL.sub("", text).splitlines()]
    return "\n".join(lines).strip()


def _file_places(file: FileDescriptorProto) -> Iterator[_Place]:
    prefix = f"{file.package}." if file.package else ""
    for index, message in enumerate(file.message_type):
        yield from _message_places(message, (_FILE_MESSAGE, index), prefix + message.name)
    for index, enum in enumerate(file.enum_type):
        yield from _enum_places(enum, (_FILE_ENUM, index), prefix + enum.name)
    for index, service in enumerate(file.service):
        yield (_FILE_SERVICE, index), prefix + service.name
        names = [f"{prefix}{service.name}.{method.name}" for method in service.method]
        yield from _numbered((_FILE_SERVICE, index, _SERVICE_METHOD), names)


def _message_places(message: DescriptorProto, path: tuple[int, ...], name: str) -> Iterator[_Place]:
    yield path, name
    yield from _numbered((*path, _MESSAGE_FIELD), [f"{name}.{field.name}" for field in message.field])
    yield from _numbered((*path, _MESSAGE_ONEOF), [f"{name}.{oneof.name}" for oneof in message.oneof_decl])
    for index, nested in enumerate(message.nested_type):
        yield from _message_places(nested, (*path, _MESSAGE_NESTED, index), f"{name}.{nested.name}")
    for index, enum in enumerate(message.enum_type):
        yield from _enum_places(enum, (*path, _MESSAGE_ENUM, index), f"{name}.{enum.name}")


def _enum_places(enum: EnumDescriptorProto, path: tuple[int, ...], name: str) -> Iterator[_Place]:
    """A value is named below its enum here, where protobuf itself puts it beside: names stay unique so."""
    yield path, name
    yield from _numbered((*path, _ENUM_VALUE), [f"{name}.{value.name}" for value in enum.value])


def _numbered(path: tuple[int, ...], names: Sequence[str]) -> Iterator[_Place]:
    for index, name in enumerate(names):
        yield (*path, index), name
