"""Auth's servicers and what surrounds their calls, over one database."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from flick.clock import Clock
from flick.db.pool import Pool
from flick.rpc.access.aspect import AccessAspect
from flick.rpc.access.rules import read_rules
from flick.rpc.aspect import Aspect
from flick.rpc.calls import DeadlineAspect, MetricsAspect
from flick.rpc.faults import FaultAspect
from flick.rpc.server import Registration
from flick.telemetry import RpcMetrics
from flick.v1 import (
    access_pb2,
    access_pb2_grpc,
    auth_pb2,
    auth_pb2_grpc,
    enrollment_pb2,
    enrollment_pb2_grpc,
    organizations_pb2,
    organizations_pb2_grpc,
    server_groups_pb2,
    server_groups_pb2_grpc,
    servers_pb2,
    servers_pb2_grpc,
)
from services.auth.bell import Bell
from services.auth.config import AuthConfig
from services.auth.credentials.passwords import Passwords
from services.auth.credentials.service_secrets import ServiceSecrets
from services.auth.credentials.signing import SigningKeys
from services.auth.credentials.trust import TrustAnchor
from services.auth.servicers.access import AccessServicer
from services.auth.servicers.enrollment import EnrollmentServicer
from services.auth.servicers.organizations import OrganizationServicer
from services.auth.servicers.server_groups import ServerGroupServicer
from services.auth.servicers.servers import ServerServicer
from services.auth.servicers.sessions import AuthServicer
from services.auth.store.access import AccessStore
from services.auth.store.enrollment import EnrollmentStore
from services.auth.store.hosts import HostStore
from services.auth.store.organizations import OrganizationStore
from services.auth.store.server_groups import ServerGroupStore
from services.auth.store.servers import ServerStore
from services.auth.store.sessions import SessionStore
from services.auth.store.settings import SettingsStore
from services.auth.telemetry import AuthMetrics

AUDIENCE = "auth"
CALL_LIMIT_S = 10.0
ENDLESS = frozenset({"/flick.v1.AccessService/WatchAccess"})


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the service is made of."""

    config: AuthConfig
    pool: Pool
    passwords: Passwords
    signing_keys: SigningKeys
    service_secrets: ServiceSecrets
    trust: TrustAnchor
    bell: Bell
    metrics: AuthMetrics
    rpc_metrics: RpcMetrics
    clock: Clock


def registrations(parts: Parts) -> Sequence[Registration]:
    """The six services of the contract that auth answers."""
    organizations, settings = OrganizationStore(pool=parts.pool), SettingsStore(pool=parts.pool)
    auth = AuthServicer(
        store=SessionStore(pool=parts.pool),
        passwords=parts.passwords,
        signing_keys=parts.signing_keys,
        service_secrets=parts.service_secrets,
        metrics=parts.metrics,
        clock=parts.clock,
    )
    enrollment = EnrollmentServicer(
        store=EnrollmentStore(pool=parts.pool),
        organizations=organizations,
        trust=parts.trust,
        public_url=parts.config.public_url,
        ingest_address=parts.config.public_ingest_address,
        metrics=parts.metrics,
        clock=parts.clock,
    )
    servers = ServerServicer(store=ServerStore(pool=parts.pool), settings=settings, clock=parts.clock)
    groups = ServerGroupServicer(
        store=ServerGroupStore(pool=parts.pool), settings=settings, organizations=organizations, clock=parts.clock
    )
    access = AccessServicer(
        store=AccessStore(pool=parts.pool),
        hosts=HostStore(pool=parts.pool),
        bell=parts.bell,
        metrics=parts.metrics,
        clock=parts.clock,
    )
    return [
        Registration(
            add=partial(auth_pb2_grpc.add_AuthServiceServicer_to_server, auth),
            descriptor=auth_pb2.DESCRIPTOR.services_by_name["AuthService"],
        ),
        Registration(
            add=partial(
                organizations_pb2_grpc.add_OrganizationServiceServicer_to_server,
                OrganizationServicer(store=organizations, settings=settings),
            ),
            descriptor=organizations_pb2.DESCRIPTOR.services_by_name["OrganizationService"],
        ),
        Registration(
            add=partial(servers_pb2_grpc.add_ServerServiceServicer_to_server, servers),
            descriptor=servers_pb2.DESCRIPTOR.services_by_name["ServerService"],
        ),
        Registration(
            add=partial(server_groups_pb2_grpc.add_ServerGroupServiceServicer_to_server, groups),
            descriptor=server_groups_pb2.DESCRIPTOR.services_by_name["ServerGroupService"],
        ),
        Registration(
            add=partial(enrollment_pb2_grpc.add_EnrollmentServiceServicer_to_server, enrollment),
            descriptor=enrollment_pb2.DESCRIPTOR.services_by_name["EnrollmentService"],
        ),
        Registration(
            add=partial(access_pb2_grpc.add_AccessServiceServicer_to_server, access),
            descriptor=access_pb2.DESCRIPTOR.services_by_name["AccessService"],
        ),
    ]


def aspects(parts: Parts, *, services: Sequence[Registration]) -> Sequence[Aspect]:
    """What surrounds every call, outermost first."""
    return [
        FaultAspect(),
        MetricsAspect(metrics=parts.rpc_metrics, clock=parts.clock),
        DeadlineAspect(limit_s=CALL_LIMIT_S, exempt=ENDLESS),
        AccessAspect(
            rules=read_rules([service.descriptor for service in services]),
            source=AccessStore(pool=parts.pool),
            keys=parts.signing_keys,
            audience=AUDIENCE,
        ),
    ]
