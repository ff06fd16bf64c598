"""The table of grants follows what auth sends."""

from flick.rpc.access.grants import Grants
from flick.v1 import access_pb2, options_pb2


def membership(user: str, organization: str, role: options_pb2.Role.ValueType) -> access_pb2.AccessEntry:
    return access_pb2.AccessEntry(
        membership=access_pb2.MembershipEntry(user_id=user, organization_id=organization, role=role)
    )


def server(server_id: str, organization: str) -> access_pb2.AccessEntry:
    return access_pb2.AccessEntry(server=access_pb2.ServerEntry(server_id=server_id, organization_id=organization))


def agent_key(key_id: str, server_id: str) -> access_pb2.AccessEntry:
    entry = access_pb2.AgentKeyEntry(key_id=key_id, server_id=server_id, organization_id="o", secret_sha256=b"x")
    return access_pb2.AccessEntry(agent_key=entry)


def test_what_was_not_granted_is_not_there() -> None:
    grants = Grants()

    assert grants.role(user_id="u", organization_id="o") == options_pb2.ROLE_UNSPECIFIED
    assert grants.organization_of(server_id="s") is None
    assert grants.agent_key(key_id="k") is None
    assert grants.settings(server_id="s") is None


def test_a_snapshot_forgets_what_it_does_not_hold() -> None:
    grants = Grants()
    grants.replace([membership("u", "o", options_pb2.ROLE_ADMIN), server("s", "o"), agent_key("k", "s")])
    grants.replace([server("t", "o")])

    assert grants.role(user_id="u", organization_id="o") == options_pb2.ROLE_UNSPECIFIED
    assert grants.servers_in(organization_id="o") == ["t"]
    assert grants.agent_key(key_id="k") is None


def test_a_role_is_changed_and_taken_away() -> None:
    grants = Grants()
    grants.grant(membership("u", "o", options_pb2.ROLE_ADMIN))
    grants.grant(membership("u", "o", options_pb2.ROLE_VIEWER))
    lowered = grants.role(user_id="u", organization_id="o")
    grants.revoke(membership("u", "o", options_pb2.ROLE_UNSPECIFIED))

    assert lowered == options_pb2.ROLE_VIEWER
    assert grants.organizations_of(user_id="u") == []


def test_a_server_belongs_to_one_organization() -> None:
    grants = Grants()
    grants.grant(server("s", "o"))
    grants.grant(server("s", "p"))

    assert grants.organization_of(server_id="s") == "p"
    assert grants.servers_in(organization_id="o") == []


def test_only_the_listeners_of_the_server_are_told() -> None:
    grants = Grants()
    grants.grant(agent_key("k", "s"))
    told: list[str] = []
    with (
        grants.listen(lambda: told.append("mine"), server_id="s"),
        grants.listen(lambda: told.append("another"), server_id="t"),
    ):
        grants.revoke(agent_key("k", "s"))
    grants.grant(agent_key("k", "s"))

    assert told == ["mine"]


def test_every_listener_is_told_of_a_new_snapshot() -> None:
    grants = Grants()
    told: list[str] = []
    with grants.listen(lambda: told.append("s"), server_id="s"), grants.listen(lambda: told.append("t"), server_id="t"):
        grants.replace([])

    assert sorted(told) == ["s", "t"]
