"""How long a server's samples are held back, so that not all servers send at once."""

import pytest

from agent.sampler.orders import Wanted
from agent.uplink.spread import SPREAD_S, held_back_s, unwatched_s

SERVERS = [f"server-{number}" for number in range(500)]


def test_servers_send_spread_over_the_whole_second() -> None:
    held = [held_back_s(server_id=server, wanted=Wanted(), spread_s=SPREAD_S) for server in SERVERS]
    tenths = [sum(tenth / 10 <= one < (tenth + 1) / 10 for one in held) for tenth in range(10)]

    assert sum(tenths) == len(SERVERS)
    assert max(tenths) < len(SERVERS) / 5


def test_a_server_sends_always_equally_late() -> None:
    held = {held_back_s(server_id="one", wanted=Wanted(), spread_s=SPREAD_S) for _ in range(3)}

    assert len(held) == 1
    assert held != {0.0}


@pytest.mark.parametrize("interval_s", [1, 2, 5, 60])
def test_no_sample_is_held_back_for_a_fifth_of_the_interval(interval_s: int) -> None:
    wanted = Wanted(interval_s=interval_s)
    held = [held_back_s(server_id=server, wanted=wanted, spread_s=SPREAD_S) for server in SERVERS]

    assert 0.0 <= min(held) <= max(held) < min(SPREAD_S, interval_s / 5)
    assert max(held) > 0.0


def test_what_somebody_watches_is_sent_at_once() -> None:
    watched = Wanted(live_interval_s=1.0)

    assert {held_back_s(server_id=server, wanted=watched, spread_s=SPREAD_S) for server in SERVERS} == {0.0}


def test_what_ingest_is_told_is_the_same_whether_somebody_watches_or_not() -> None:
    unwatched = [held_back_s(server_id=server, wanted=Wanted(), spread_s=SPREAD_S) for server in SERVERS]
    watched = Wanted(live_interval_s=1.0)

    assert [unwatched_s(server_id=server, wanted=watched, spread_s=SPREAD_S) for server in SERVERS] == unwatched
