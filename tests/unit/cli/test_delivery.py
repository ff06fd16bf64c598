"""A server's delivery as the terminal shows it."""

from typing import Any

import pytest
from rich.text import Text

from flick.cli.delivery import parse_last_s, summary
from flick.cli.failure import CliError, ExitCode

NOW_S = 1_700_000_000.0  # 2023-11-14T22:13:20Z


def _words(answer: dict[str, Any]) -> dict[str, str]:
    rows = summary(answer, now_s=NOW_S)
    return {str(name): cell.plain if isinstance(cell, Text) else cell for name, cell in rows}


def test_of_a_server_that_never_sent_everything_is_nothing() -> None:
    assert _words({"stream": None, "lag": None, "rejected": []}) == {
        "stream": "none was ever opened",
        "spool": "-",
        "received": "0",
        "stored": "0",
        "duplicates": "0",
        "conflicts": "0",
        "rejected": "0",
        "left out": "0",
        "lag": "-",
        "gaps": "0",
    }


def test_counts_are_told_with_their_reasons() -> None:
    words = _words(
        {
            "receivedCount": "1010",
            "committedCount": "1000",
            "duplicateCount": "3",
            "conflictCount": "2",
            "rejected": [
                {"reason": "REJECTION_REASON_FUTURE", "count": "4"},
                {"reason": "REJECTION_REASON_TOO_OLD", "count": "1"},
            ],
            "overflowed": [{"kind": "OVERFLOW_KIND_SERIES", "count": "7"}],
            "lag": {"p50": "0.120s", "p99": "-0.000500s", "max": "93784.5s"},
            "gapCount": "12",
        }
    )

    assert (words["received"], words["stored"], words["duplicates"], words["conflicts"]) == ("1010", "1000", "3", "2")
    assert words["rejected"] == "5 (future 4, too old 1)"
    assert words["left out"] == "7 (series 7)"
    assert words["lag"] == "p50 0.12 s, p99 -0.0005 s, max 26 h"
    assert words["gaps"] == "12"


def test_what_the_agent_can_t_measure_is_told_with_its_reason() -> None:
    failing = {"collector": "gpu", "reason": "OSError: \x1b[2J no driver", "sinceTime": "2023-11-14T20:13:20Z"}
    rows = summary({"stream": {"spool": {"heldSamples": "1", "failingCollectors": [failing, failing]}}}, now_s=NOW_S)
    told = [cell.plain for name, cell in rows if name == "can't measure" and isinstance(cell, Text)]

    assert len(told) == 2
    assert told[0].startswith("gpu since 2 h: OSError: ")
    assert "\x1b" not in told[0]


@pytest.mark.parametrize(
    ("held_back", "words"),
    [
        ("0.980s", "p50 1.1 s; of that 0.98 s on purpose, so that not all agents send at once"),
        ("0s", "p50 1.1 s"),
        (None, "p50 1.1 s"),
    ],
    ids=["held back", "sent at once", "of an older agent"],
)
def test_what_the_agent_waits_on_purpose_stands_beside_the_lag(held_back: str | None, words: str) -> None:
    spool = {} if held_back is None else {"heldBack": held_back}

    assert _words({"lag": {"p50": "1.1s"}, "stream": {"spool": spool}})["lag"] == words


AGENT = {"spoolId": "s1", "version": "1.2"}
OPENED = "2023-11-14T22:12:20Z"


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        ({"connected": True, "clockOffset": "-12.340s"}, "connected 60 s ago: agent 1.2, spool s1, clock -12.3 s"),
        ({"connected": False}, "silent, opened 60 s ago: agent 1.2, spool s1"),
        (
            {"endTime": "2023-11-14T22:13:15Z", "endReason": "drained"},
            "ended 5 s ago (drained): agent 1.2, spool s1",
        ),
    ],
    ids=["connected", "silent", "ended"],
)
def test_a_stream_is_told_with_its_agent(stream: dict[str, Any], words: str) -> None:
    assert _words({"stream": {"openTime": OPENED, "agent": AGENT, **stream}})["stream"] == words


def test_a_spool_is_told_with_what_became_of_its_samples_and_steers_no_terminal() -> None:
    spool = {
        "heldSamples": "12",
        "heldBytes": "4096",
        "oldestTime": OPENED,
        "takenSamples": "100",
        "ackedSamples": "80",
        "droppedSamples": "8",
        "degradedReason": "disk\x1b[31m full",
    }

    assert _words({"stream": {"openTime": OPENED, "spool": spool}})["spool"] == (
        "12 held (4 KiB), oldest 60 s old, 100 taken, 80 acked, 8 dropped; in memory only: disk\ufffd[31m full"
    )


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("31d", 2_678_400), ("1s", 1), (" 24h ", 86_400)])
def test_a_span_is_read(text: str, seconds: int) -> None:
    assert parse_last_s(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "32d", "1w", "-1h", "745h", "1h30m"])
def test_what_is_no_span_is_wrong_usage(text: str) -> None:
    with pytest.raises(CliError) as refused:
        parse_last_s(text)

    assert refused.value.code is ExitCode.USAGE
