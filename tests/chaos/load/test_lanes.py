"""What a simulated agent holds: nothing is given out twice under two names, nothing is forgotten before its ack."""

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.load.lanes import BACKFILL, LANES, LIVE, LIVE_BATCHES, MOST_WAITING, Held
from tests.chaos.load.samples import Measured


def _samples(*times: int) -> list[Measured]:
    return [Measured(at, at, b"") for at in times]


def test_a_batch_keeps_its_place_and_content_until_it_is_acked() -> None:
    held = Held()
    held.put(_samples(1, 2))
    first, new = held.batch(LIVE, 1)
    held.demote()
    again, new_again = held.batch(LIVE, 1)

    assert first is not None
    assert (again, new, new_again) == (first, True, False)
    assert held.ack(LIVE, 1) == [first]
    assert held.empty


def test_what_waits_when_a_stream_begins_is_backlog() -> None:
    held = Held()
    held.put(_samples(1))
    held.put(_samples(2))
    held.demote()
    held.put(_samples(3))

    live, _ = held.batch(LIVE, 1)
    backlog, _ = held.batch(BACKFILL, 1)

    assert live is not None
    assert backlog is not None
    assert [one.time_us for one in live.samples] == [3]
    assert [one.time_us for one in backlog.samples] == [1, 2]


def test_beyond_its_bound_the_oldest_are_dropped_and_counted() -> None:
    held = Held()
    for at in range(MOST_WAITING + LIVE_BATCHES + 3):
        held.put(_samples(at))

    backlog, _ = held.batch(BACKFILL, 1)

    assert held.dropped == 3
    assert backlog is not None
    assert backlog.samples[0].time_us == 3


@given(st.lists(st.sampled_from(["put", "live", "backfill", "demote", "ack live", "ack backfill"]), max_size=60))
def test_every_sample_is_acked_once(steps: list[str]) -> None:
    held, put, acked, next_seq = Held(), 0, [], {LIVE: 1, BACKFILL: 1}
    for step in [*steps, "demote", "backfill", "backfill", "ack live", "ack backfill"]:
        lane = BACKFILL if "backfill" in step else LIVE
        if step == "put":
            put += 1
            held.put(_samples(put))
        elif step == "demote":
            held.demote()
        elif step.startswith("ack"):
            acked += [one.time_us for batch in held.ack(lane, next_seq[lane] - 1) for one in batch.samples]
        elif held.batch(lane, next_seq[lane])[0] is not None:
            next_seq[lane] += 1

    assert sorted(acked) == list(range(1, put + 1))
    assert held.empty
    assert [held.position(lane) for lane in LANES] == [next_seq[lane] for lane in LANES]
