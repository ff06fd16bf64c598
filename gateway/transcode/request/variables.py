"""Path variables and the fields they set. Without dots they are converted by one set of forms, with dots by another."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.rpc import code_pb2

from gateway.transcode.codec.decode import DecoderSet
from gateway.transcode.errors import RefusedError, bad_request
from gateway.transcode.profile import Profile
from gateway.transcode.request.populate import Populator, refuse_second_of_oneof
from gateway.transcode.request.values import PLAIN, PLAIN_OF_ANY_BASE, put


class _TopLevel:
    """A field of the request itself; it replaces what the body set."""

    def __init__(self, field: FieldDescriptor, *, codec: DecoderSet, profile: Profile, separator: str) -> None:
        action = put(field, codec, forms=PLAIN_OF_ANY_BASE if profile.go_integers_in_paths else PLAIN)
        assert action is not None, "rules.py admits only variables that have a form as text"
        self._put = action
        self._field = field
        self._separator = separator

    def set(self, message: Any, text: str) -> None:
        """Set the field; ValueError says what is wrong."""
        refuse_second_of_oneof(message, self._field, replaces=True)
        message.ClearField(self._field.name)
        for part in text.split(self._separator) if self._field.is_repeated else (text,):
            self._put(message, part)


class _Dotted:
    """A field inside of a message."""

    def __init__(self, fields: Sequence[FieldDescriptor], populator: Populator) -> None:
        self._fields = fields
        self._populator = populator

    def set(self, message: Any, text: str) -> None:
        """Set the field; ValueError says what is wrong."""
        self._populator.set(message, self._fields, [text])


class PathVariable:
    """One variable of a template."""

    def __init__(
        self,
        fields: Sequence[FieldDescriptor],
        *,
        codec: DecoderSet,
        populator: Populator,
        profile: Profile,
        separator: str,
    ) -> None:
        self.name = ".".join(field.name for field in fields)
        self._setter = (
            _Dotted(fields, populator)
            if len(fields) > 1
            else _TopLevel(fields[0], codec=codec, profile=profile, separator=separator)
        )

    def set(self, message: Any, text: str) -> None:
        """Set the field; raises RefusedError naming the variable."""
        try:
            self._setter.set(message, text)
        except ValueError as error:
            raise RefusedError(
                code_pb2.INVALID_ARGUMENT,
                f"type mismatch, parameter: {self.name}, error: {error}",
                details=bad_request(self.name, str(error)).details,
            ) from None
