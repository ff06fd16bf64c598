"""Writes docs/metrics.md, the table of everything that an agent measures by itself, from the contract's catalogue.

Run by `make proto` behind `generate.py`; a contract test proves the committed table fresh.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.collectors.portable import MEASURES, NOT_TOLD
from flick.v1 import options_pb2
from services.query.rules.catalog import Catalog, Selector

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"

_HEAD = """\
# Metrics

Everything that an agent measures by itself. `make proto` makes this page of `proto/flick/v1/catalog.proto` and its
comments; nobody edits it. `GET /api/v1/metrics:catalog` tells the same.

Names are those of the OpenTelemetry semantic conventions where there is one, else in their style. Units are UCUM: `1`
is a share between 0 and 1, `By` bytes, `{thread}` a number of threads, `/s` per second. A gauge is a value of the
moment, or a share or average since the sample before; a rate is what was counted since then, by second. What a system
does not tell is a hole, never a zero. Servers may have [custom metrics](custom-metrics.md) beside these.

On Linux the agent measures all of it where there is such a thing. The column `besides Linux` names the systems on
which it measures it, too, as the documentation of psutil has it: on neither of them has it been tried. Processes are
listed on Linux only.
"""
_KINDS = {options_pb2.METRIC_KIND_GAUGE: "gauge", options_pb2.METRIC_KIND_RATE: "rate"}

_SYSTEMS = {"darwin": "macOS", "win32": "Windows"}


def page(catalog: Catalog) -> str:
    """The whole page."""
    rows = catalog.rows
    parts = (
        ("One value of a server", [row for row in rows if row.column]),
        ("One value for each of something", [row for row in rows if not row.column]),
    )
    return "\n".join([_HEAD, *(line for title, part in parts for line in (f"## {title}", "", *_table(part), ""))])


def _table(rows: Iterable[Selector]) -> Iterator[str]:
    yield "| metric | labels | unit | kind | besides Linux | what |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        labels = [f"`{key}={value}`" for key, value in row.fixed_labels.items()] + [
            f"`{key}`" for key in row.label_keys
        ]
        cells = (
            f"`{row.name}`",
            " ".join(labels),
            f"`{row.unit}`",
            _KINDS[row.kind],
            _elsewhere(row.number),
            row.description,
        )
        yield f"| {' | '.join(cells)} |"


def _elsewhere(number: int) -> str:
    return ", ".join(name for system, name in _SYSTEMS.items() if number in MEASURES - NOT_TOLD[system])


if __name__ == "__main__":
    PAGE.write_text(page(Catalog.from_contract()))
