"""How servers join."""

import asyncio
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from flick.errors import FlickError, Kind
from flick.ids import new_id
from flick.rpc.status import from_rpc_error
from flick.tokens import AGENT_KEY_PREFIX, JOIN_TOKEN_PREFIX, make_opaque, parse_opaque
from flick.v1 import enrollment_pb2, options_pb2, servers_pb2
from tests.databases import DatabaseServer
from tests.integration.auth.certificates import make_authority
from tests.integration.auth.house import INGEST_ADDRESS, PUBLIC_URL, AuthHouse, Person, auth_house, refusal

HOST = servers_pb2.Host(
    hostname="db-1",
    os_type="linux",
    os_description="Debian GNU/Linux 12",
    arch="amd64",
    kernel_release="6.1.0-25-amd64",
    cpu_model="AMD EPYC 7763 64-Core Processor",
    cpu_logical_count=8,
    cpu_physical_count=4,
    memory_limit=2**34,
    virtualization="kvm",
    addresses=["192.0.2.1", "2001:db8::1"],
    boot_time=Timestamp(seconds=1_790_000_000),
    machine_id="0123456789abcdef" * 2,
)


async def enroll(house: AuthHouse, token: str, **fields: Any) -> enrollment_pb2.EnrollServerResponse:
    request = {"token": token, "host": HOST, "agent_version": "0.1.0", **fields}
    return await house.enrollment.EnrollServer(enrollment_pb2.EnrollServerRequest(**request))


async def usable(house: AuthHouse, person: Person, **fields: Any) -> enrollment_pb2.ListJoinTokensResponse:
    request = enrollment_pb2.ListJoinTokensRequest(organization_id=str(person.organization_id), **fields)
    return await house.enrollment.ListJoinTokens(request, metadata=person.metadata)


async def test_a_join_token_is_exchanged_for_a_server_with_a_key(house: AuthHouse, owner: Person) -> None:
    made = await house.join_token(owner)

    joined = await enroll(house, made.token)

    assert made.enroll_url == PUBLIC_URL
    assert joined.server.organization_id == str(owner.organization_id)
    assert (joined.server.display_name, joined.server.host) == ("db-1", HOST)
    assert joined.ingest_address == INGEST_ADDRESS
    assert parse_opaque(joined.agent_key, prefix=AGENT_KEY_PREFIX)


async def test_what_the_agent_knows_of_its_host_is_kept(house: AuthHouse, owner: Person) -> None:
    joined = await enroll(house, (await house.join_token(owner)).token)
    request = servers_pb2.GetServerRequest(server_id=joined.server.server_id)

    assert (await house.servers.GetServer(request, metadata=owner.metadata)).host == HOST


async def test_a_server_is_called_as_its_join_token_says(house: AuthHouse, owner: Person) -> None:
    made = await house.join_token(owner, server_display_name="  데이터베이스 1  ")

    joined = await enroll(house, made.token)

    assert joined.server.display_name == "데이터베이스 1"


async def test_a_join_token_is_good_for_one_server(house: AuthHouse, owner: Person) -> None:
    token = (await house.join_token(owner)).token
    await enroll(house, token)

    error = await refusal(enroll(house, token))

    assert (error.kind, error.reason) == (Kind.UNAUTHENTICATED, "JOIN_TOKEN_USED")


async def test_of_many_who_present_it_at_once_one_joins(house: AuthHouse, owner: Person) -> None:
    token = (await house.join_token(owner)).token

    async def attempt() -> str:
        try:
            await enroll(house, token)
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error).reason
        return "joined"

    outcomes = Counter(await asyncio.gather(*(attempt() for _ in range(20))))

    assert outcomes == {"joined": 1, "JOIN_TOKEN_USED": 19}


async def test_an_expired_join_token_says_so(house: AuthHouse, owner: Person) -> None:
    made = await house.join_token(owner, ttl=Duration(seconds=60))
    house.clock.advance(61)

    error = await refusal(enroll(house, made.token))

    assert (error.kind, error.reason) == (Kind.UNAUTHENTICATED, "JOIN_TOKEN_EXPIRED")


@pytest.mark.parametrize("state", ["usable", "used", "expired", "unknown"])
async def test_whoever_lacks_the_secret_learns_nothing(house: AuthHouse, owner: Person, state: str) -> None:
    made = await house.join_token(owner)
    token_id = parse_opaque(made.token, prefix=JOIN_TOKEN_PREFIX).id  # type: ignore[union-attr]
    if state == "used":
        await enroll(house, made.token)
    elif state == "expired":
        house.clock.advance(3601)
    elif state == "unknown":
        token_id = new_id()

    error = await refusal(enroll(house, make_opaque(prefix=JOIN_TOKEN_PREFIX, token_id=token_id).text))

    assert (error.kind, error.reason) == (Kind.UNAUTHENTICATED, "JOIN_TOKEN_INVALID")


@pytest.mark.parametrize("mangle", [lambda t: t[:-1], lambda t: t.upper(), lambda t: "", lambda t: "flk" + t[3:]])
async def test_a_mistyped_join_token_is_told_from_a_wrong_one(house: AuthHouse, owner: Person, mangle: Any) -> None:
    token = mangle((await house.join_token(owner)).token)

    error = await refusal(enroll(house, token))

    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, "token")


async def test_a_refused_host_does_not_use_the_token_up(house: AuthHouse, owner: Person) -> None:
    token = (await house.join_token(owner)).token

    error = await refusal(enroll(house, token, host=servers_pb2.Host(hostname="a\0b")))

    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, "host.hostname")
    assert (await enroll(house, token)).agent_key


@pytest.mark.parametrize(
    "fields",
    [
        {"ttl": Duration(seconds=59)},
        {"ttl": Duration(seconds=3601)},
        {"ttl": Duration(seconds=-60)},
        {"ttl": Duration(seconds=315_576_000_001)},
        {"server_display_name": "x" * 101},
        {"server_display_name": "a\nb"},
    ],
)
async def test_what_a_join_token_can_not_be_is_named(house: AuthHouse, owner: Person, fields: dict[str, Any]) -> None:
    error = await refusal(house.join_token(owner, **fields))

    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, next(iter(fields)))


async def test_an_admin_of_one_organization_need_not_name_it(house: AuthHouse, owner: Person) -> None:
    other = await house.organization()
    await house.join(owner.user_id, other, options_pb2.ROLE_VIEWER)

    made = await house.enrollment.CreateJoinToken(enrollment_pb2.CreateJoinTokenRequest(), metadata=owner.metadata)

    assert made.join_token.organization_id == str(owner.organization_id)


async def test_an_admin_of_several_organizations_must_name_one(house: AuthHouse, owner: Person) -> None:
    await house.join(owner.user_id, await house.organization(), options_pb2.ROLE_ADMIN)

    error = await refusal(
        house.enrollment.CreateJoinToken(enrollment_pb2.CreateJoinTokenRequest(), metadata=owner.metadata)
    )

    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, "organization_id")


async def test_a_member_makes_no_join_token_wherever(house: AuthHouse) -> None:
    member = await house.person(role=options_pb2.ROLE_MEMBER)

    named = await refusal(house.join_token(member))
    unnamed = await refusal(
        house.enrollment.CreateJoinToken(enrollment_pb2.CreateJoinTokenRequest(), metadata=member.metadata)
    )

    assert named.kind is unnamed.kind is Kind.PERMISSION_DENIED


async def test_only_usable_join_tokens_are_listed_newest_first(house: AuthHouse, owner: Person) -> None:
    made = [await house.join_token(owner, server_display_name=f"s{n}") for n in range(4)]
    await enroll(house, made[1].token)

    first = await usable(house, owner, page_size=2)
    second = await usable(house, owner, page_size=2, page_token=first.next_page_token)

    names = [[token.server_display_name for token in page.join_tokens] for page in (first, second)]
    assert names == [["s3", "s2"], ["s0"]]
    assert second.next_page_token == ""


async def test_a_deleted_join_token_is_worth_nothing(house: AuthHouse, owner: Person) -> None:
    made = await house.join_token(owner)

    await delete(house, owner, made.join_token.join_token_id)

    assert (await refusal(enroll(house, made.token))).reason == "JOIN_TOKEN_INVALID"
    assert not (await usable(house, owner)).join_tokens


async def delete(house: AuthHouse, person: Person, join_token_id: str) -> None:
    request = enrollment_pb2.DeleteJoinTokenRequest(join_token_id=join_token_id)
    await house.enrollment.DeleteJoinToken(request, metadata=person.metadata)


async def test_a_foreign_join_token_answers_as_an_unknown_one(house: AuthHouse, owner: Person) -> None:
    foreign = (await house.join_token(await house.person())).join_token.join_token_id

    answers: list[FlickError] = [
        await refusal(delete(house, owner, token_id)) for token_id in (foreign, str(new_id()), "", "x")
    ]

    assert {(error.kind, error.public) for error in answers} == {(Kind.NOT_FOUND, "There is no such join token.")}


async def test_a_viewer_may_not_delete_a_join_token(house: AuthHouse, owner: Person) -> None:
    made = await house.join_token(owner)
    viewer = await house.person(role=options_pb2.ROLE_VIEWER, organization_id=owner.organization_id)

    error = await refusal(delete(house, viewer, made.join_token.join_token_id))

    assert error.kind is Kind.PERMISSION_DENIED


async def test_without_an_authority_of_its_own_tokens_say_none(house: AuthHouse, owner: Person) -> None:
    made = await house.join_token(owner)
    bundle = await house.enrollment.GetTrustBundle(enrollment_pb2.GetTrustBundleRequest())

    assert parse_opaque(made.token, prefix=JOIN_TOKEN_PREFIX).fingerprint == "none"  # type: ignore[union-attr]
    assert bundle.ca_pem == ""


async def test_join_tokens_carry_the_fingerprint_of_the_trust_bundle(
    postgres: DatabaseServer, empty_database: str, tmp_path: Path
) -> None:
    pem, der = make_authority()
    (tmp_path / "ca.pem").write_bytes(pem)

    async with auth_house(
        database_url=postgres.url(database=empty_database, role="flick_auth"),
        owner_url=postgres.url(database=empty_database),
        folder=tmp_path,
        trust_bundle_file=tmp_path / "ca.pem",
    ) as house:
        made = await house.join_token(await house.person())
        joined = await enroll(house, made.token)

    token = parse_opaque(made.token, prefix=JOIN_TOKEN_PREFIX)
    assert token is not None
    assert token.fingerprint == hashlib.sha256(der).hexdigest()
    assert joined.trust_bundle.ca_pem == pem.decode()


async def test_an_installation_that_does_not_know_its_ingest_lets_nobody_join(
    postgres: DatabaseServer, empty_database: str, tmp_path: Path
) -> None:
    async with auth_house(
        database_url=postgres.url(database=empty_database, role="flick_auth"),
        owner_url=postgres.url(database=empty_database),
        folder=tmp_path,
        public_ingest_address="",
    ) as house:
        token = (await house.join_token(await house.person())).token
        error = await refusal(enroll(house, token))

    assert error.kind is Kind.FAILED_PRECONDITION
    assert "FLICK_PUBLIC_INGEST_ADDRESS" in error.public


async def test_only_hashes_of_secrets_are_stored(house: AuthHouse, owner: Person) -> None:
    made = await house.join_token(owner)
    joined = await enroll(house, made.token)

    stored = await house.sql(
        "select t::text as row from auth.join_tokens as t union all select k::text from auth.agent_keys as k"
    )

    secrets = [text.split("_")[2] for text in (made.token, joined.agent_key)]
    assert not [row for row in stored if any(secret in row["row"] for secret in secrets)]
