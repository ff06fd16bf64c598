"""Messages that are filled in are the same as messages that are made from nothing."""

import math

from hypothesis import given
from hypothesis import strategies as st

from flick.v1 import options_pb2, query_pb2
from services.query.rules.catalog import Catalog, Selector, Wanted
from services.query.rules.measured import Measured, values
from services.query.watch.backlog import Update
from services.query.watch.forms import Forms

CATALOG = Catalog.from_contract()
EVERYTHING = CATALOG.wanted([])
SOME = CATALOG.wanted(["system.cpu.utilization", "system.cpu.core.utilization", "backup_bytes"])
BACKUP, JOBS = (
    Selector(
        number=0,
        name=name,
        unit="",
        kind=options_pb2.METRIC_KIND_GAUGE,
        column="",
        fixed_labels={},
        label_keys=keys,
        description="",
        custom=True,
    )
    for name, keys in (("backup_bytes", ("job",)), ("jobs", ()))
)
LAYOUTS = [
    (),
    [(500, ("0",)), (500, ("1",)), (520, ("eth0",))],
    [(520, ("eth0",)), (500, ("0",))],
    [(500, ("0",)), (9_999, ("unknown",)), (500, ("two", "many"))],
    [(BACKUP, ("db",)), (500, ("0",)), (JOBS, ()), (BACKUP, ())],
]
NUMBERS = st.one_of(st.none(), st.just(math.nan), st.floats(-1e300, 1e300))
SAMPLES = st.builds(
    lambda core, layout, labelled: Measured(time_us=1, core=core, layout=layout, labelled=labelled),
    st.lists(NUMBERS, max_size=25),
    st.sampled_from(LAYOUTS),
    st.lists(NUMBERS, max_size=4),
)


def made_anew(update: Update, wanted: Wanted) -> query_pb2.WatchMetricsResponse | None:
    found = values(update.measured, catalog=CATALOG, wanted=wanted)
    if not found:
        return None
    response = query_pb2.WatchMetricsResponse(server_id=update.server_id, values=found)
    response.time.FromMicroseconds(update.measured.time_us)
    return response


@given(
    updates=st.lists(st.tuples(st.sampled_from("ab"), SAMPLES, st.sampled_from([EVERYTHING, SOME])), max_size=12),
    max_kept=st.integers(1, 4),
)
def test_a_message_holds_what_was_measured_whatever_came_before(
    updates: list[tuple[str, Measured, Wanted]], max_kept: int
) -> None:
    forms = Forms(catalog=CATALOG, max_kept=max_kept)
    for server_id, measured, wanted in updates:
        update = Update(server_id, measured)

        assert forms.message(update, wanted) == made_anew(update, wanted)


@given(first=SAMPLES, numbers=st.lists(st.floats(-1e300, 1e300), min_size=29, max_size=29))
def test_other_numbers_of_the_same_form_do_not_change_the_message_before(first: Measured, numbers: list[float]) -> None:
    forms = Forms(catalog=CATALOG)
    second = Measured(
        time_us=2,
        core=[other if one is not None else None for one, other in zip(first.core, numbers, strict=False)],
        layout=first.layout,
        labelled=numbers[25 : 25 + len(first.labelled)],
    )
    before = forms.message(Update("a", first), EVERYTHING)
    forms.message(Update("a", second), EVERYTHING)

    assert before == made_anew(Update("a", first), EVERYTHING)


def test_viewers_that_want_the_same_share_a_message() -> None:
    forms = Forms(catalog=CATALOG)
    update = Update("a", Measured(time_us=1, core=[0.5], layout=(), labelled=()))

    assert forms.message(update, EVERYTHING) is forms.message(update, EVERYTHING)
    assert forms.message(update, SOME) is not forms.message(update, EVERYTHING)
