"""Names of custom metrics never meet those of the catalogue; descriptions are cut the same way twice."""

from hypothesis import given
from hypothesis import strategies as st

from flick.custom_metrics import MAX_DESCRIPTION_BYTES, description_of, is_name, unit_of
from flick.ids import new_id, pushed_source
from flick.v1 import catalog_pb2, options_pb2


def test_no_name_of_the_catalogue_can_be_a_custom_one() -> None:
    names = {
        value.GetOptions().Extensions[options_pb2.metric].name
        for value in catalog_pb2.Metric.DESCRIPTOR.values
        if value.number
    }

    assert names
    assert not [name for name in names if is_name(name)]


@given(text=st.text())
def test_a_description_is_one_line_within_its_limit_and_stays_so(text: str) -> None:
    found = description_of(text)

    assert description_of(found) == found
    assert len(found.encode()) <= MAX_DESCRIPTION_BYTES
    assert "\0" not in found
    assert "\n" not in found


def test_units_are_told_by_a_names_ending() -> None:
    names = (
        "backup_bytes",
        "cpu_seconds_total",
        "wait_seconds_sum",
        "hits_total",
        "bytes_read",
        "cpu_celsius",
    )

    assert [unit_of(name) for name in names] == ["By", "s", "s", "", "", "Cel"]


def test_the_source_of_what_is_pushed_is_another_id_and_leads_back() -> None:
    server_id = new_id()
    pushed = pushed_source(server_id)

    assert (server_id.version, pushed.version) == (7, 8)
    assert pushed_source(pushed) == server_id
