"""Which marshaler reads a request and which writes its answer: by Content-Type and Accept, as grpc-gateway chooses.

Names are compared as they are written; there is no 415 and no 406, since `*` serves everything else.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.transcode.codec.types import Types
from gateway.transcode.marshal.codecs import Codec, compile_marshaler
from gateway.transcode.marshal.formats import Marshaler

_ANY = "*"


class Registry:
    """Compiled marshalers by media type. ValueError when none serves `*`."""

    def __init__(self, types: Types, marshalers: Mapping[str, Marshaler]) -> None:
        if _ANY not in marshalers:
            raise ValueError("options.marshalers lacks '*', the marshaler of all media types that have none")
        compiled = {marshaler: compile_marshaler(types, marshaler) for marshaler in set(marshalers.values())}
        self._codecs: dict[str, Codec] = {name: compiled[marshaler] for name, marshaler in marshalers.items()}

    def __iter__(self) -> Iterator[Codec]:
        """Every codec once."""
        return iter(dict.fromkeys(self._codecs.values()))

    def inbound(self, scope: Mapping[str, Any]) -> Codec:
        """Who reads the body."""
        for name, value in scope["headers"]:
            if name == b"content-type" and (found := self._codecs.get(media_type(value.decode("latin-1")))) is not None:
                return found
        return self._codecs[_ANY]

    def outbound(self, scope: Mapping[str, Any]) -> Codec:
        """Who writes the answer: what Accept names exactly, else who reads the body."""
        for name, value in scope["headers"]:
            if name == b"accept" and (found := self._codecs.get(value.decode("latin-1"))) is not None:
                return found
        return self.inbound(scope)


def media_type(content_type: str) -> str:
    """The media type of a Content-Type, in lower case and without parameters; empty when it is none."""
    return content_type.partition(";")[0].strip(" \t").lower()
