"""Rows as the contract's messages."""

from datetime import datetime
from uuid import UUID

import asyncpg
from google.protobuf.timestamp_pb2 import Timestamp

from flick.v1 import access_pb2, enrollment_pb2, options_pb2, organizations_pb2, server_groups_pb2, servers_pb2
from services.auth.rules.settings import DEFAULTS
from services.auth.store import host_facts

Row = asyncpg.Record


def role(number: int) -> options_pb2.Role.ValueType:
    """A role as the contract numbers it."""
    return options_pb2.Role.ValueType(number)


def timestamp(moment: datetime | None) -> Timestamp | None:
    """A point in time; None stays unset."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def organization(row: Row) -> organizations_pb2.Organization:
    """An organization."""
    return organizations_pb2.Organization(
        organization_id=str(row["organization_id"]),
        display_name=row["display_name"],
        create_time=timestamp(row["create_time"]),
    )


def server(row: Row) -> servers_pb2.Server:
    """A server."""
    host = servers_pb2.Host(
        hostname=row["hostname"], os_type=row["os_type"], os_description=row["os_description"], arch=row["arch"]
    )
    host_facts.unpack(row["host_facts"], host)
    return servers_pb2.Server(
        server_id=str(row["server_id"]),
        organization_id=str(row["organization_id"]),
        display_name=row["display_name"],
        host=host,
        create_time=timestamp(row["create_time"]),
        tags=row["tags"],
        description=row["description"],
        category=row["category"],
        server_group_id=str(row["server_group_id"] or ""),
        agent_version=row["agent_version"],
        host_change_time=timestamp(row["host_change_time"]),
    )


def server_group(row: Row) -> server_groups_pb2.ServerGroup:
    """A group of servers."""
    return server_groups_pb2.ServerGroup(
        server_group_id=str(row["server_group_id"]),
        organization_id=str(row["organization_id"]),
        display_name=row["display_name"],
        description=row["description"],
        create_time=timestamp(row["create_time"]),
        server_count=row["server_count"],
    )


def level(number: int) -> servers_pb2.SettingsLevel.ValueType:
    """A level of settings as the contract numbers it."""
    return servers_pb2.SettingsLevel.ValueType(number)


def overrides(row: Row) -> servers_pb2.ServerSettings:
    """Settings as far as they are set."""
    message = servers_pb2.ServerSettings(
        retention_days=row["retention_days"],
        processes_enabled=row["processes_enabled"],
        process_commands_enabled=row["process_commands_enabled"],
    )
    if row["metric_interval_s"] is not None:
        message.metric_interval.FromSeconds(row["metric_interval_s"])
    return message


def agent_key(row: Row) -> servers_pb2.AgentKey:
    """An agent key, without its secret."""
    return servers_pb2.AgentKey(
        key_id=str(row["key_id"]),
        server_id=str(row["server_id"]),
        create_time=timestamp(row["create_time"]),
        revoke_time=timestamp(row["revoke_time"]),
    )


def join_token(row: Row) -> enrollment_pb2.JoinToken:
    """A join token, without its secret."""
    return enrollment_pb2.JoinToken(
        join_token_id=str(row["join_token_id"]),
        organization_id=str(row["organization_id"]),
        server_display_name=row["server_display_name"],
        create_time=timestamp(row["create_time"]),
        expire_time=timestamp(row["expire_time"]),
    )


def membership_entry(row: Row) -> access_pb2.AccessEntry:
    """A person's role, as a fact about access."""
    return membership_name(user_id=row["user_id"], organization_id=row["organization_id"], role_number=row["role"])


def membership_name(*, user_id: UUID, organization_id: UUID, role_number: int = 0) -> access_pb2.AccessEntry:
    """A membership by its identifying fields."""
    return access_pb2.AccessEntry(
        membership=access_pb2.MembershipEntry(
            user_id=str(user_id), organization_id=str(organization_id), role=role(role_number)
        )
    )


def server_entry(row: Row) -> access_pb2.AccessEntry:
    """A server's owner and the settings in effect, as a fact about access."""
    settings = servers_pb2.ServerSettings()
    settings.CopyFrom(DEFAULTS)
    settings.MergeFrom(overrides(row))
    return access_pb2.AccessEntry(
        server=access_pb2.ServerEntry(
            server_id=str(row["server_id"]), organization_id=str(row["organization_id"]), settings=settings
        )
    )


def server_name(*, server_id: UUID) -> access_pb2.AccessEntry:
    """A server by its identifying field."""
    return access_pb2.AccessEntry(server=access_pb2.ServerEntry(server_id=str(server_id)))


def retention(row: Row) -> access_pb2.ServerRetention:
    """How long a server's samples are kept."""
    if row["delete_time"] is not None:
        return access_pb2.ServerRetention(server_id=str(row["server_id"]), delete_time=timestamp(row["delete_time"]))
    days = row["retention_days"] or DEFAULTS.retention_days
    return access_pb2.ServerRetention(server_id=str(row["server_id"]), retention_days=days)


def agent_key_entry(row: Row) -> access_pb2.AccessEntry:
    """A valid agent key, as a fact about access."""
    return access_pb2.AccessEntry(
        agent_key=access_pb2.AgentKeyEntry(
            key_id=str(row["key_id"]),
            server_id=str(row["server_id"]),
            organization_id=str(row["organization_id"]),
            secret_sha256=row["secret_sha256"],
        )
    )


def agent_key_name(*, key_id: UUID) -> access_pb2.AccessEntry:
    """An agent key by its identifying field."""
    return access_pb2.AccessEntry(agent_key=access_pb2.AgentKeyEntry(key_id=str(key_id)))
