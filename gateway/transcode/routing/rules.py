"""HTTP bindings from the descriptors: every google.api.http rule, validated before the first request."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto

from gateway.transcode.codec.types import WRAPPERS, Types
from gateway.transcode.options import Options
from gateway.transcode.profile import DEFAULT, Profile
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


def read_bindings(
    descriptors: FileDescriptorSet, types: Types, *, profile: Profile = DEFAULT, options: Options | None = None
) -> tuple[Binding, ...]:
    """Every binding in the order of the files, of a method the options' rules before its own; raises ContractError
    with all problems at once."""
    binder = _Binder(profile=profile, options=options or Options())
    bindings: list[Binding] = []
    problems: list[str] = []
    for name, rules in _rules(descriptors, options or Options()).items():
        method = types.pool.FindMethodByName(name)
        for index, flat in enumerate(flat for rule in rules for flat in (rule, *rule.additional_bindings)):
            try:
                if flat.additional_bindings and flat not in rules:
                    raise ValueError("additional_bindings inside additional_bindings: move them up to the rule itself")
                bindings.append(binder.bind(method, flat, index))
            except ValueError as error:
                problems.append(f"{name}: {error}")
    if problems:
        raise ContractError(problems)
    return tuple(bindings)


def _rules(descriptors: FileDescriptorSet, options: Options) -> dict[str, list[http_pb2.HttpRule]]:
    """The rules of each method by its full name. Raises ContractError for a rule of a method that does not exist."""
    rules: dict[str, list[http_pb2.HttpRule]] = {}
    # Parsed anew: a set that was read before google.api was imported holds the rules as unknown fields.
    for file in FileDescriptorSet.FromString(descriptors.SerializeToString()).file:
        for name, method in _methods(file):
            own = method.options.Extensions[annotations_pb2.http]
            given = [rule for rule in (*options.rules, own) if rule is own or rule.selector == name]
            rules[name] = [rule for rule in given if rule.WhichOneof("pattern") is not None]
            if not rules[name] and options.serve_unbound_methods:
                rules[name] = [http_pb2.HttpRule(post="/" + "/".join(name.rsplit(".", 1)), body="*")]
    unknown = [rule.selector for rule in options.rules if rule.selector not in rules]
    if unknown:
        raise ContractError(f"a rule names {selector!r}, which is no method" for selector in unknown)
    return rules


def _methods(file: FileDescriptorProto) -> Iterator[tuple[str, MethodDescriptorProto]]:
    prefix = f"{file.package}." if file.package else ""
    for service in file.service:
        for method in service.method:
            yield f"{prefix}{service.name}.{method.name}", method


class _Binder:
    """Turns rules into bindings; `bind` checks each."""

    def __init__(self, *, profile: Profile, options: Options) -> None:
        self._lists_in_paths = profile.variables_may_pass_lists
        self._delete_body = options.allow_delete_body

    def bind(self, method: MethodDescriptor, rule: http_pb2.HttpRule, index: int) -> Binding:
        """Check one rule; ValueError says what is wrong and how to mend it."""
        http_method, path = _pattern(rule)
        template = _parse(path)
        if method.client_streaming and template.variables:
            raise ValueError(f"{http_method} {path}: a client stream has no one message for a path variable, remove it")
        self._check_body(method.input_type, http_method, rule.body)
        for variable in template.variables:
            self._check_variable(method.input_type, variable.path, path)
        response_body = "" if rule.response_body == "*" else rule.response_body
        if response_body:
            _resolve(method.output_type, tuple(response_body.split(".")), f"response_body {response_body!r}")
        return Binding(method, index, http_method, template, rule.body, response_body)

    def _check_body(self, request: Descriptor, http_method: str, body: str) -> None:
        if not body:
            return
        if http_method == "GET" or (http_method == "DELETE" and not self._delete_body):
            raise ValueError(f"{http_method} must not have a body, remove body: {body!r} or use POST")
        if body != "*":
            fields = _resolve(request, tuple(body.split(".")), f"body {body!r}")
            if any(field.is_repeated for field in fields[:-1]):
                raise ValueError(f"body {body!r} passes through a repeated field")

    def _check_variable(self, request: Descriptor, path: tuple[str, ...], template: str) -> None:
        what = f"path variable {'.'.join(path)!r} of {template}"
        fields = _resolve(request, path, what)
        last = fields[-1]
        passes = any(field.is_repeated for field in fields[:-1]) or (last.is_repeated and len(fields) > 1)
        if passes and not self._lists_in_paths:
            raise ValueError(f"{what} passes through a repeated field")
        if last.message_type is None:
            return
        if last.is_repeated or last.message_type.full_name not in _TEXTUAL_MESSAGES:
            raise ValueError(f"{what} is a {last.message_type.full_name}, which has no form as text")


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


def _resolve(descriptor: Descriptor, path: tuple[str, ...], what: str) -> tuple[FieldDescriptor, ...]:
    try:
        return resolve(descriptor, path)
    except FieldPathError as error:
        raise ValueError(f"{what}: {error}") from None
