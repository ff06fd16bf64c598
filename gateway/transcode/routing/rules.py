"""HTTP bindings from the descriptors: every google.api.http rule, validated before the first request."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto

from gateway.transcode.codec.types import WRAPPERS, Types
from gateway.transcode.routing.fields import FieldPathError, resolve
from gateway.transcode.routing.template import Template, TemplateError, parse_template

HTTP_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE")
_TEXTUAL_MESSAGES = WRAPPERS | {"google.protobuf.Timestamp", "google.protobuf.Duration"}


class ContractError(ValueError):
    """The descriptors carry rules that cannot be served; `problems` names each with its method."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "the HTTP rules cannot be served:\n" + "\n".join(f"  - {problem}" for problem in self.problems)
        )


@dataclass(frozen=True, slots=True)
class Binding:
    """One HTTP method and path of one RPC."""

    method: MethodDescriptor
    index: int
    """0 for the rule itself, then its additional_bindings in order."""
    http_method: str
    template: Template
    body: str
    """`*` for the whole message, a field path, or empty: no body is read."""
    response_body: str
    """The field whose value alone is answered; empty: the whole message."""

    @property
    def service(self) -> str:
        """Full name of the service."""
        return str(self.method.containing_service.full_name)

    @property
    def rpc(self) -> str:
        """The path of the RPC, `/package.Service/Method`."""
        return f"/{self.service}/{self.method.name}"

    @property
    def operation_id(self) -> str:
        """`Service_Method`, with a number behind it for additional bindings."""
        name = f"{self.method.containing_service.name}_{self.method.name}"
        return f"{name}_{self.index}" if self.index else name

    def __str__(self) -> str:
        return f"{self.http_method} {self.template.text} ({self.rpc[1:]})"


def read_bindings(descriptors: FileDescriptorSet, types: Types) -> tuple[Binding, ...]:
    """Every binding in the order of the files; raises ContractError with all problems at once."""
    bindings: list[Binding] = []
    problems: list[str] = []
    # Parsed anew: a set that was read before google.api was imported holds the rules as unknown fields.
    for name, rule in _rules(FileDescriptorSet.FromString(descriptors.SerializeToString())):
        method = types.pool.FindMethodByName(name)
        for index, flat in enumerate(_flatten(rule)):
            try:
                bindings.append(_bind(method, flat, index))
            except ValueError as error:
                problems.append(f"{name}: {error}")
    if problems:
        raise ContractError(problems)
    return tuple(bindings)


def _rules(descriptors: FileDescriptorSet) -> Iterator[tuple[str, http_pb2.HttpRule]]:
    for file in descriptors.file:
        for name, method in _methods(file):
            rule = method.options.Extensions[annotations_pb2.http]
            if rule.WhichOneof("pattern") is not None:
                yield name, rule


def _methods(file: FileDescriptorProto) -> Iterator[tuple[str, MethodDescriptorProto]]:
    prefix = f"{file.package}." if file.package else ""
    for service in file.service:
        for method in service.method:
            yield f"{prefix}{service.name}.{method.name}", method


def _flatten(rule: http_pb2.HttpRule) -> list[http_pb2.HttpRule]:
    return [rule, *rule.additional_bindings]


def _bind(method: MethodDescriptor, rule: http_pb2.HttpRule, index: int) -> Binding:
    """Check one rule; ValueError says what is wrong and how to mend it."""
    if index and rule.additional_bindings:
        raise ValueError("additional_bindings inside additional_bindings: move them up to the rule itself")
    http_method, path = _pattern(rule)
    if method.client_streaming:
        raise ValueError(f"{http_method} {path}: client streams are not served over HTTP, remove the rule")
    template = _parse(path)
    _check_body(method.input_type, http_method, rule.body)
    for variable in template.variables:
        _check_variable(method.input_type, variable.path, path)
    response_body = "" if rule.response_body == "*" else rule.response_body
    if response_body:
        _resolve(method.output_type, tuple(response_body.split(".")), f"response_body {response_body!r}")
    return Binding(method, index, http_method, template, rule.body, response_body)


def _pattern(rule: http_pb2.HttpRule) -> tuple[str, str]:
    kind = rule.WhichOneof("pattern")
    if kind is None:
        raise ValueError("an additional binding has no path")
    if kind != "custom":
        return kind.upper(), str(getattr(rule, kind))
    if rule.custom.kind not in HTTP_METHODS:
        raise ValueError(f"custom kind {rule.custom.kind!r} is no HTTP method, use one of {', '.join(HTTP_METHODS)}")
    return rule.custom.kind, rule.custom.path


def _parse(path: str) -> Template:
    try:
        return parse_template(path)
    except TemplateError as error:
        raise ValueError(str(error)) from None


def _check_body(request: Descriptor, http_method: str, body: str) -> None:
    if not body:
        return
    if http_method in ("GET", "DELETE"):
        raise ValueError(f"{http_method} must not have a body, remove body: {body!r} or use POST")
    if body != "*":
        fields = _resolve(request, tuple(body.split(".")), f"body {body!r}")
        if any(field.is_repeated for field in fields[:-1]):
            raise ValueError(f"body {body!r} passes through a repeated field")


def _check_variable(request: Descriptor, path: tuple[str, ...], template: str) -> None:
    what = f"path variable {'.'.join(path)!r} of {template}"
    fields = _resolve(request, path, what)
    last = fields[-1]
    if any(field.is_repeated for field in fields[:-1]) or (last.is_repeated and len(fields) > 1):
        raise ValueError(f"{what} passes through a repeated field")
    if last.message_type is None:
        return
    if last.is_repeated or last.message_type.full_name not in _TEXTUAL_MESSAGES:
        raise ValueError(f"{what} is a {last.message_type.full_name}, which has no form as text")


def _resolve(descriptor: Descriptor, path: tuple[str, ...], what: str) -> tuple[FieldDescriptor, ...]:
    try:
        return resolve(descriptor, path)
    except FieldPathError as error:
        raise ValueError(f"{what}: {error}") from None
