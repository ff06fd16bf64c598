"""Which ports are chosen, and which addresses are told to whom."""

from collections.abc import Collection, Mapping

import pytest

from deploy.local.addresses import Addresses, choose_ports, outward_address

ANY_FREE = range(50_000, 50_100)


def choose(
    requested: int | None, *, remembered: Mapping[str, int] | None = None, busy: Collection[int] = ()
) -> dict[str, int]:
    return choose_ports(
        requested=requested,
        remembered=remembered or {},
        is_free=lambda _part, port: port not in busy,
        any_free=lambda _part, taken: next(port for port in ANY_FREE if port not in taken),
    )


def test_services_lie_beside_the_gateway() -> None:
    ports = choose(9000)

    assert [ports[part] for part in ("gateway", "ingest", "auth", "query")] == [9000, 9001, 9002, 9003]


def test_a_busy_port_is_replaced_by_any_free_one() -> None:
    ports = choose(9000, busy={9001})

    assert ports["gateway"] == 9000
    assert ports["ingest"] in ANY_FREE


def test_port_zero_takes_any() -> None:
    assert set(choose(0).values()) <= set(ANY_FREE)


def test_no_port_is_given_twice() -> None:
    ports = choose(9000, busy=set(range(9000, 9004)))

    assert len(set(ports.values())) == len(ports)


@pytest.mark.parametrize("requested", [None, 0, 9000])
def test_the_next_start_keeps_every_port(requested: int | None) -> None:
    first = {"requested": 9000, **choose(9000, busy={9001})}

    assert choose(requested, remembered=first) == {part: port for part, port in first.items() if part != "requested"}


def test_a_remembered_port_that_is_busy_now_is_replaced() -> None:
    first = choose(9000)
    second = choose(None, remembered=first, busy={first["ingest"]})

    assert second["ingest"] != first["ingest"]
    assert {**second, "ingest": 0} == {**first, "ingest": 0}


def test_a_replacement_lies_beside_the_port_that_was_asked_for_and_not_beside_the_default() -> None:
    first = {"requested": 9000, **choose(9000, busy={9001})}
    second = choose(None, remembered=first, busy={first["ingest"]})

    assert second["ingest"] == 9001


def test_another_port_moves_everything() -> None:
    ports = choose(7000, remembered={"requested": 9000, **choose(9000)})

    assert (ports["gateway"], ports["ingest"]) == (7000, 7001)


def test_the_last_ports_do_not_run_over_the_end() -> None:
    ports = choose(65_535)

    assert ports["gateway"] == 65_535
    assert ports["ingest"] in ANY_FREE


@pytest.mark.parametrize(
    ("host", "scheme", "gateway_listen", "ingest_local"),
    [
        ("127.0.0.1", "http", "127.0.0.1:1", "127.0.0.1:2"),
        ("localhost", "http", "localhost:1", "localhost:2"),
        ("0.0.0.0", "https", "0.0.0.0:1", "127.0.0.1:2"),
        ("192.0.2.7", "https", "192.0.2.7:1", "192.0.2.7:2"),
        ("::1", "http", "[::1]:1", "[::1]:2"),
    ],
)
def test_only_loopback_is_plaintext(host: str, scheme: str, gateway_listen: str, ingest_local: str) -> None:
    addresses = Addresses(host=host, public_host="box", ports={"gateway": 1, "ingest": 2, "auth": 3})

    assert addresses.scheme == scheme
    assert addresses.listen("gateway") == gateway_listen
    assert addresses.local("ingest") == ingest_local
    assert addresses.listen("auth") == "127.0.0.1:3"
    assert addresses.public("ingest") == "box:2"


def test_this_machine_has_an_outward_address_or_a_name() -> None:
    assert outward_address()
