"""Under which media types messages and errors travel: what the host's marshalers are called and what they write."""

from collections.abc import Iterable
from typing import Any

from gateway.transcode.marshal.formats import Json
from gateway.transcode.openapi.schemas import Schema
from gateway.transcode.options import Options
from gateway.transcode.profile import Profile

Content = dict[str, Any]

NDJSON = "application/x-ndjson"
_ANYTHING: Schema = {}


class Media:
    """Content Objects of one transcoder.

    `style` is the JSON that is described in full: that of the marshaler for all types, else the first that is JSON. A
    marshaler in another style, and protobuf's binary form, are named without a schema.
    """

    def __init__(self, *, profile: Profile, options: Options) -> None:
        self._marshalers = {"*": options.marshalers["*"], **options.marshalers}
        self._stream_types = profile.stream_types
        self.style = next((one for one in self._marshalers.values() if isinstance(one, Json)), Json())

    def request(self, schema: Schema) -> Content:
        """A body that is one message or field."""
        names = (one.content_type if name == "*" else name for name, one in self._marshalers.items())
        return self._content(names, schema)

    def requests(self, schema: Schema) -> Content:
        """A body that is messages one behind the other; the schema is that of each."""
        return {**self.request(schema), NDJSON: {"schema": schema}}

    def answer(self, schema: Schema) -> Content:
        """An answer that is one message or field, or an error."""
        return self._content((one.content_type for one in self._marshalers.values()), schema)

    def answers(self, schema: Schema) -> Content:
        """A stream of lines or events, each of this schema."""
        written = [one.content_type for one in self._marshalers.values() if isinstance(one, Json)]
        return {name: {"schema": schema} for name in (*written, *sorted(self._stream_types))}

    def _content(self, names: Iterable[str], schema: Schema) -> Content:
        content: Content = {}
        for name, marshaler in zip(names, self._marshalers.values(), strict=True):
            content.setdefault(name, {"schema": schema if self._reads_like(marshaler) else _ANYTHING})
        return content

    def _reads_like(self, marshaler: object) -> bool:
        style = self.style
        return isinstance(marshaler, Json) and (marshaler.use_proto_names, marshaler.use_enum_numbers) == (
            style.use_proto_names,
            style.use_enum_numbers,
        )


def raw() -> Content:
    """Bytes of any type."""
    return {"*/*": {"schema": _ANYTHING}}
