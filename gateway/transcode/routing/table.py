"""The table of all routes: reads the rules, wants a channel for each service, refuses two routes that are one."""

from collections.abc import Container, Sequence
from typing import TypeVar

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.transcode.codec.types import Types
from gateway.transcode.profile import Profile
from gateway.transcode.routing.router import DuplicateRouteError, Router
from gateway.transcode.routing.rules import Binding, ContractError
from gateway.transcode.routing.rules import read_bindings as read_rules

Target = TypeVar("Target")


def read_bindings(descriptors: FileDescriptorSet, types: Types, services: Container[str]) -> tuple[Binding, ...]:
    """All bindings; raises ContractError for broken rules and for services that are not among `services`."""
    bindings = read_rules(descriptors, types)
    missing = dict.fromkeys(binding.service for binding in bindings if binding.service not in services)
    if missing:
        raise ContractError(f"{service} has HTTP rules, but no channel was given for it" for service in missing)
    return bindings


def build_router(bindings: Sequence[Binding], targets: Sequence[Target], profile: Profile) -> Router[Target]:
    """The matcher over all bindings; raises ContractError naming each pair that matches the same requests."""
    router: Router[Target] = Router(allow_empty=profile.empty_segments_match)
    first: dict[object, Binding] = {}
    problems: list[str] = []
    for binding, target in zip(bindings, targets, strict=True):
        try:
            router.add(binding.http_method, binding.template, target)
        except DuplicateRouteError:
            problems.append(f"{binding} matches the same requests as {first[_key(binding)]}: change one of the paths")
        first.setdefault(_key(binding), binding)
    if problems:
        raise ContractError(problems)
    return router


def _key(binding: Binding) -> object:
    return binding.http_method, binding.template.shape
