"""Who may call which method, read from the contract's own options. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from flick.v1 import options_pb2

# Methods that gRPC itself brings. They show nothing but the public contract and whether a service serves.
PUBLIC_INFRASTRUCTURE = frozenset(
    {
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.health.v1.Health/List",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    }
)


@dataclass(frozen=True, kw_only=True)
class MethodRule:
    """A method's rule, taken out of its option."""

    callers: frozenset[int]
    role: int
    server_field: str
    organization_field: str
    services: frozenset[str]


_PUBLIC = MethodRule(
    callers=frozenset(options_pb2.CallerKind.values()),
    role=options_pb2.ROLE_UNSPECIFIED,
    server_field="",
    organization_field="",
    services=frozenset(),
)


def read_rules(services: Iterable[ServiceDescriptor]) -> Mapping[str, MethodRule]:
    """The rules of every method of `services`, by `/package.Service/Method`. Methods without a rule are left out."""
    rules = dict.fromkeys(PUBLIC_INFRASTRUCTURE, _PUBLIC)
    for service in services:
        for method in service.methods:
            if method.GetOptions().HasExtension(options_pb2.access):
                rules[f"/{service.full_name}/{method.name}"] = _read(method)
    return rules


def _read(method: MethodDescriptor) -> MethodRule:
    option = method.GetOptions().Extensions[options_pb2.access]
    return MethodRule(
        callers=frozenset(option.callers),
        role=option.role,
        server_field=option.server_field,
        organization_field=option.organization_field,
        services=frozenset(option.services),
    )


def named_servers(rule: MethodRule, request: Message | None) -> list[str]:
    """The server ids that a request names. None where the rule names no field."""
    if not rule.server_field or request is None:
        return []
    value = getattr(request, rule.server_field)
    return [value] if isinstance(value, str) else list(value)


def named_organization(rule: MethodRule, request: Message | None) -> str:
    """The organization id that a request names; empty where it names none."""
    if not rule.organization_field or request is None:
        return ""
    return str(getattr(request, rule.organization_field))
