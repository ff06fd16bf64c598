"""The table of all routes: reads the rules, wants a channel for each service, refuses two routes that are one."""

from collections.abc import Container, Sequence
from typing import TypeVar

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.transcode.codec.types import Types
from gateway.transcode.options import Options
from gateway.transcode.profile import DEFAULT, Profile
from gateway.transcode.routing.match import DuplicateRouteError, Router
from gateway.transcode.routing.newest import NewestFirst
from gateway.transcode.routing.rules import Binding, ContractError
from gateway.transcode.routing.rules import read_bindings as read_rules
from gateway.transcode.routing.specific import MostSpecific

Target = TypeVar("Target")


def read_bindings(
    descriptors: FileDescriptorSet,
    types: Types,
    services: Container[str],
    *,
    profile: Profile = DEFAULT,
    options: Options | None = None,
) -> tuple[Binding, ...]:
    """All bindings; raises ContractError for broken rules and for services that are not among `services`."""
    bindings = read_rules(descriptors, types, profile=profile, options=options)
    missing = dict.fromkeys(binding.service for binding in bindings if binding.service not in services)
    if missing:
        raise ContractError(f"{service} has HTTP rules, but no channel was given for it" for service in missing)
    return bindings


def new_router(profile: Profile) -> Router[Target]:
    """An empty router that searches as the profile says."""
    return NewestFirst(profile=profile) if profile.newest_route_wins else MostSpecific(profile=profile)


def build_router(bindings: Sequence[Binding], targets: Sequence[Target], profile: Profile) -> Router[Target]:
    """The matcher over all bindings; see `add_routes`."""
    router: Router[Target] = new_router(profile)
    add_routes(router, bindings, targets)
    return router


def add_routes(router: Router[Target], bindings: Sequence[Binding], targets: Sequence[Target]) -> None:
    """Add all bindings; raises ContractError naming each pair that may not stand together.

    Within a service no two may have the same method and template; whether others may match the same requests is the
    router's to say.
    """
    by_text: dict[object, Binding] = {}
    by_shape: dict[object, Binding] = {}
    problems: list[str] = []
    for binding, target in zip(bindings, targets, strict=True):
        text = binding.service, binding.http_method, binding.template.text
        shape = binding.http_method, binding.template.shape
        try:
            router.add(binding.http_method, binding.template, target)
            twin = by_text.get(text)
        except DuplicateRouteError:
            twin = by_shape[shape]
        if twin is not None:
            problems.append(f"{binding} matches the same requests as {twin}: change one of the paths")
        by_text.setdefault(text, binding)
        by_shape.setdefault(shape, binding)
    if problems:
        raise ContractError(problems)
