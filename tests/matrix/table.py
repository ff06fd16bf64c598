"""The authorisation matrix, written by hand: what each kind of caller may do with what is its own, foreign or unknown.

It is independent of the rules in the contract, so that a wrong rule is caught here; `test_matrix.py` holds the whole
house against it, over gRPC, REST and WebSocket. A method of the contract without a row here fails the tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Who(Enum):
    """Kinds of caller. OTHER is owner of another organization, whose view of `OWN` is therefore foreign."""

    ANONYMOUS = "anonymous"
    EXPIRED = "expired"
    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"
    OTHER = "other organization"
    AGENT = "agent key"
    REVOKED_AGENT = "revoked agent key"
    INGEST = "service ingest"
    QUERY = "service query"


class What(Enum):
    """What a request names: something of the first organization, of the other one, or nothing that exists."""

    OWN = "own"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


class Answer(Enum):
    """How the house answers. LET_IN: whatever a caller that may call gets, good or bad."""

    LET_IN = "let in"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    NOT_FOUND = "NOT_FOUND"


IN, WHO_ARE_YOU, NO, NOTHING = Answer.LET_IN, Answer.UNAUTHENTICATED, Answer.PERMISSION_DENIED, Answer.NOT_FOUND
PEOPLE = (Who.VIEWER, Who.MEMBER, Who.ADMIN, Who.OTHER)
STRANGERS = {Who.ANONYMOUS: WHO_ARE_YOU, Who.EXPIRED: WHO_ARE_YOU, Who.REVOKED_AGENT: WHO_ARE_YOU}
MACHINES = {Who.AGENT: NO, Who.INGEST: NO, Who.QUERY: NO}


@dataclass(frozen=True)
class Row:
    """What a method answers.

    `names` is the request's field for what it names; empty: it names nothing. To people, and to who is `blind`, a
    foreign thing is as an unknown one.
    """

    own: Mapping[Who, Answer]
    names: str = ""
    blind: frozenset[Who] = frozenset()

    def answer(self, who: Who, what: What) -> Answer:
        """The answer that is right. A foreign or unknown thing is a secret from people and no matter for the rest."""
        if what is What.OWN or not (who in PEOPLE or who in self.blind):
            return self.own[who]
        if who is Who.OTHER and what is What.FOREIGN:  # it is their own
            return self.own[Who.ADMIN]
        return NOTHING


def public() -> Row:
    """Anybody may call, whatever they carry."""
    return Row(own=dict.fromkeys(Who, IN))


def own_secret() -> Row:
    """The request itself carries the credential; without a good one, as here, everybody is refused alike."""
    return Row(own=dict.fromkeys(Who, WHO_ARE_YOU))


def person() -> Row:
    """Anybody who signed in may call; it shows them their own things only."""
    return Row(own={**STRANGERS, **MACHINES, **dict.fromkeys(PEOPLE, IN)})


def sees(names: str) -> Row:
    """Viewers of the organization and better."""
    return Row(own={**STRANGERS, **MACHINES, **dict.fromkeys(PEOPLE, IN), Who.OTHER: NOTHING}, names=names)


def administers(names: str) -> Row:
    """Admins of the organization and better."""
    return Row(
        own={**STRANGERS, **MACHINES, Who.VIEWER: NO, Who.MEMBER: NO, Who.ADMIN: IN, Who.OTHER: NOTHING}, names=names
    )


def pushes(names: str) -> Row:
    """Members and better, and the server's own agent, to which another server is an unknown one."""
    own = {**STRANGERS, **MACHINES, **dict.fromkeys(PEOPLE, IN), Who.VIEWER: NO, Who.OTHER: NOTHING, Who.AGENT: IN}
    return Row(own=own, names=names, blind=frozenset({Who.AGENT}))


def agent() -> Row:
    """Agents only."""
    return Row(own={**STRANGERS, **dict.fromkeys(PEOPLE, NO), **MACHINES, Who.AGENT: IN})


def services() -> Row:
    """Ingest and query only."""
    return Row(own={**STRANGERS, **dict.fromkeys(PEOPLE, NO), **MACHINES, Who.INGEST: IN, Who.QUERY: IN})


def query_only() -> Row:
    """Query only."""
    return Row(own={**STRANGERS, **dict.fromkeys(PEOPLE, NO), **MACHINES, Who.QUERY: IN})


def ingest_only() -> Row:
    """Ingest only."""
    return Row(own={**STRANGERS, **dict.fromkeys(PEOPLE, NO), **MACHINES, Who.INGEST: IN})


METHODS: Mapping[str, Row] = {
    "AccessService.FindServers": query_only(),
    "AccessService.ListRetentions": ingest_only(),
    "AccessService.LookUpAccess": services(),
    "AccessService.ReportHosts": ingest_only(),
    "AccessService.WatchAccess": services(),
    "AuthService.GetJsonWebKeySet": public(),
    "AuthService.GetMe": person(),
    "AuthService.IssueServiceToken": own_secret(),
    "AuthService.Login": public(),
    "AuthService.Logout": public(),
    "AuthService.RefreshToken": own_secret(),
    "EnrollmentService.CreateJoinToken": administers("organization_id"),
    "EnrollmentService.DeleteJoinToken": administers("join_token_id"),
    "EnrollmentService.EnrollServer": public(),
    "EnrollmentService.GetTrustBundle": public(),
    "EnrollmentService.ListJoinTokens": administers("organization_id"),
    "IngestService.StreamTelemetry": agent(),
    "OrganizationService.GetOrganization": sees("organization_id"),
    "OrganizationService.GetOrganizationSettings": sees("organization_id"),
    "OrganizationService.ListOrganizations": person(),
    "OrganizationService.UpdateOrganization": administers("organization_id"),
    "OrganizationService.UpdateOrganizationSettings": administers("organization_id"),
    "PushService.PushMetrics": pushes("server_id"),
    "QueryService.ExportMetrics": sees("server_id"),
    "QueryService.GetLatestMetrics": sees("server_id"),
    "QueryService.GetServerDelivery": sees("server_id"),
    "QueryService.ListMetricDescriptors": person(),
    "QueryService.ListProcesses": sees("server_id"),
    "QueryService.ListServerMetricDescriptors": sees("server_id"),
    "QueryService.ListTopProcesses": sees("server_id"),
    "QueryService.QueryFleetMetrics": sees("server_ids"),
    "QueryService.QueryMetricChanges": sees("server_id"),
    "QueryService.QueryMetrics": sees("server_id"),
    "QueryService.SummarizeServers": sees("organization_id"),
    "QueryService.WatchMetrics": sees("server_ids"),
    "ServerGroupService.CreateServerGroup": administers("organization_id"),
    "ServerGroupService.DeleteServerGroup": administers("server_group_id"),
    "ServerGroupService.GetServerGroup": sees("server_group_id"),
    "ServerGroupService.GetServerGroupSettings": sees("server_group_id"),
    "ServerGroupService.ListServerGroups": sees("organization_id"),
    "ServerGroupService.UpdateServerGroup": administers("server_group_id"),
    "ServerGroupService.UpdateServerGroupSettings": administers("server_group_id"),
    "ServerService.BatchUpdateServers": administers("server_ids"),
    "ServerService.DeleteServer": administers("server_id"),
    "ServerService.GetServer": sees("server_id"),
    "ServerService.GetServerSettings": sees("server_id"),
    "ServerService.ListAgentKeys": administers("server_id"),
    "ServerService.ListServers": sees("organization_id"),
    "ServerService.RevokeAgentKey": administers("server_id"),
    "ServerService.UpdateServer": administers("server_id"),
    "ServerService.UpdateServerSettings": administers("server_id"),
    "StatsService.GetStats": administers("organization_id"),
}

# Paths of the gateway that no method stands behind, and what anybody gets there.
PAGES: Mapping[str, Answer] = {"/healthz": IN, "/docs": IN, "/api/v1/openapi.json": IN}

# The WebSocket's topics: what a subscription to a server's metrics answers.
TOPICS: Mapping[str, Row] = {"metrics": sees("server_ids")}
