"""What `flick up` says to people and to programs."""

import io
import json
from pathlib import Path
from typing import Any

from deploy.local.output import HumanOutput, JsonOutput
from deploy.local.supervision.part import Happening, Report

DEATH = Report(
    part="ingest",
    happening=Happening.DIED,
    log=Path("/logs/ingest.log"),
    detail="signal SIGKILL",
    restart_in_s=0.4,
    last_lines=["out of memory"],
)
FACTS: dict[str, Any] = {
    "url": "http://127.0.0.1:1",
    "email": "admin@localhost",
    "password": "first-word",
    "data_dir": "/data",
}


class ClosedStream(io.StringIO):
    """A terminal that went away."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_programs_get_one_object_per_line_and_ready_last() -> None:
    stream = io.StringIO()
    output = JsonOutput(stream=stream, errors=io.StringIO())
    for fraction in (0.101, 0.102, 0.11):
        output.progress("fetching", fraction)
    output.report(DEATH)
    output.ready(FACTS)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]

    assert [event["event"] for event in events] == ["progress", "progress", "died", "ready"]
    assert [event["percent"] for event in events[:2]] == [10, 11]
    assert (events[2]["part"], events[2]["last_lines"]) == ("ingest", ["out of memory"])
    assert events[3] == {"event": "ready", **FACTS}


def test_people_read_who_died_why_and_when_it_returns() -> None:
    stream = io.StringIO()
    HumanOutput(stream=stream, errors=io.StringIO()).report(DEATH)

    assert "ingest died (signal SIGKILL) and is restarted in 0.4 s" in stream.getvalue()
    assert "| out of memory" in stream.getvalue()
    assert "/logs/ingest.log" in stream.getvalue()


def test_the_password_is_shown_only_when_there_is_a_new_one() -> None:
    shown = []
    for password in ("first-word", None):
        stream = io.StringIO()
        HumanOutput(stream=stream, errors=io.StringIO()).ready({**FACTS, "password": password})
        shown.append("password" in stream.getvalue())

    assert shown == [True, False]


def test_errors_go_to_standard_error() -> None:
    stream, errors = io.StringIO(), io.StringIO()
    HumanOutput(stream=stream, errors=errors).failed("no room")

    assert errors.getvalue() == "flick up: no room\n"


def test_a_reader_that_went_away_ends_nothing() -> None:
    for kind in (HumanOutput, JsonOutput):
        output = kind(stream=ClosedStream(), errors=ClosedStream())
        output.report(DEATH)
        output.failed("no room")
