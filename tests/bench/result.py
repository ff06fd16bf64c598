"""What a benchmark found, and how it is shown."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

REPORT = Path(__file__).parents[2] / "build" / "bench.json"
_MET = {True: "yes", False: "NO", None: "-"}


@dataclass(frozen=True, kw_only=True)
class Result:
    """One figure.

    Attributes:
        name: what was measured.
        value, unit: the figure, the median of several runs.
        ceiling: what the same run measured of the best that is possible or of what is compared with; None: nothing.
        ratio: `value / ceiling`.
        goal: the bound on the ratio, or on the value where there is no ceiling; at most this. None: printed only.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    ceiling: float | None = None

    @property
    def ratio(self) -> float | None:
        """Value over ceiling."""
        return self.value / self.ceiling if self.ceiling else None

    @property
    def ok(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return (self.value if self.ratio is None else self.ratio) <= self.goal


def report(results: Sequence[Result]) -> str:
    """Write `build/bench.json` and return the table."""
    rows = [{**asdict(result), "ratio": result.ratio, "ok": result.ok} for result in results]
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(rows, indent=2) + "\n")
    return "\n".join([_line("name", "value", "unit", "ceiling", "ratio", "goal", "met"), *map(_show, results)])


def _show(result: Result) -> str:
    figures = [_number(one) for one in (result.value, result.ceiling, result.ratio, result.goal)]
    value, ceiling, ratio, goal = figures
    return _line(result.name, value, result.unit, ceiling, ratio, goal, _MET[result.ok])


def _line(name: str, value: str, unit: str, *rest: str) -> str:
    return f"{name:<28}{value:>12} {unit:<6}" + "".join(f"{cell:>12}" for cell in rest)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
