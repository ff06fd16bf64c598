"""How the messages of one binding leave: as a marshaler writes them, or the bytes of a google.api.HttpBody."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from gateway.transcode.codec.types import HTTP_BODY
from gateway.transcode.marshal.codecs import Codec, Write
from gateway.transcode.options import Options
from gateway.transcode.routing.rules import Binding

_BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Written:
    """The bytes of an answer and what they are."""

    media_type: str
    body: bytes


class Answers:
    """Compiled for one binding; all codecs of the registry may be asked for."""

    def __init__(self, binding: Binding, *, options: Options) -> None:
        self._output = binding.method.output_type
        self._response_body = binding.response_body
        self._rewrite: Callable[[Message], Message] | None = options.rewrite
        self._whole: dict[tuple[Codec, str], Write] = {}
        self._lines: dict[tuple[Codec, str], Write] = {}

    @property
    def raw(self) -> bool:
        """Whether the answers are a google.api.HttpBody, and so bytes of their own."""
        return bool(self._output.full_name == HTTP_BODY) and not self._response_body

    def whole(self, message: Any, codec: Codec) -> Written:
        """A single answer; ValueError for what the form cannot say."""
        message = self._rewritten(message)
        if self.raw and message.DESCRIPTOR.full_name == HTTP_BODY:
            return Written(message.content_type or _BYTES, bytes(message.data))
        return Written(codec.content_type, self._writer(self._whole, codec, message, codec.answer)(message))

    def line(self, message: Any, codec: Codec) -> bytes:
        """One message of a stream; ValueError for what the form cannot say."""
        message = self._rewritten(message)
        return self._writer(self._lines, codec, message, codec.line)(message)

    def chunk(self, message: Any) -> Written:
        """One message of a stream of google.api.HttpBody."""
        message = self._rewritten(message)
        return Written(message.content_type or _BYTES, bytes(message.data))

    def _rewritten(self, message: Any) -> Any:
        return message if self._rewrite is None else self._rewrite(message)

    def _writer(
        self, known: dict[tuple[Codec, str], Write], codec: Codec, message: Any, make: Callable[..., Write]
    ) -> Write:
        """The writer for the message's type, which a rewriting host may have changed; `response_body` goes with the
        contract's own."""
        key = codec, message.DESCRIPTOR.full_name
        if key not in known:
            own = message.DESCRIPTOR.full_name == self._output.full_name
            known[key] = make(message.DESCRIPTOR, self._response_body if own else "")
        return known[key]
