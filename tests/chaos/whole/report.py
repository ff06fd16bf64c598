"""What a run of the whole found: part by part, test by test, in the tests' own words."""

import dataclasses
import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.whole.parts import Part

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One test: its outcome, how many seconds it took, and what it said; of one that failed also why."""

    name: str
    outcome: str
    seconds: float
    said: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Result:
    """One part. `busy` is the share of all processor time that the machine spent meanwhile, on whatever it was."""

    name: str
    what: str
    outcome: str
    seconds: float
    busy: float
    findings: Sequence[Finding] = ()

    def lines(self) -> list[str]:
        """For people."""
        head = f"{self.name} {self.outcome} after {self.seconds / 60:.1f} minutes, machine {self.busy:.0%} busy"
        return [head, *(line for finding in self.findings for line in _told(finding))]


@dataclass(kw_only=True)
class Report:
    """A run of the whole.

    Attributes:
        commit: what was run.
        began: when, as ISO 8601.
        cores: on how many processors.
        seconds: how long it took; 0 while it goes on.
    """

    commit: str
    began: str
    cores: int
    seconds: float = 0.0
    results: list[Result] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no part failed."""
        return all(one.outcome != FAILED for one in self.results)

    def table(self) -> list[str]:
        """What ran, how long and with which result, for people."""
        head = f"{self.commit}, began {self.began}, {self.cores} processors, {self.seconds / 60:.0f} minutes"
        rows = [
            f"  {one.name:10} {one.outcome:8} {one.seconds / 60:5.1f} minutes  {one.busy:4.0%} busy  {one.what}"
            for one in self.results
        ]
        return [head, *rows]

    def write(self, path: Path) -> None:
        """As JSON."""
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({**dataclasses.asdict(self), "ok": self.ok}, indent=1) + "\n")


def result_of(part: Part, *, code: int, seconds: float, busy: float, findings: Sequence[Finding]) -> Result:
    """What a part's exit code and its tests say. A part whose tests were all skipped was skipped."""
    outcome = PASSED if code == 0 else FAILED
    if code == 0 and findings and all(one.outcome == SKIPPED for one in findings):
        outcome = SKIPPED
    return Result(
        name=part.name,
        what=part.what,
        outcome=outcome,
        seconds=round(seconds, 1),
        busy=round(busy, 3),
        findings=findings,
    )


def read_junit(path: Path) -> list[Finding]:
    """What pytest wrote with `--junitxml` and `junit_logging=system-out`; nothing when it did not get so far."""
    if not path.exists():
        return []
    return [_finding(case) for case in ET.parse(path).iter("testcase")]  # noqa: S314 - our own pytest wrote it


def _finding(case: ET.Element) -> Finding:
    said = [line for text in case.findall("system-out") for line in _words(text.text or "")]
    outcome = PASSED
    for problem in case:
        if problem.tag in ("failure", "error"):
            outcome = FAILED
            said.append(_first_line(problem.get("message")))
        elif problem.tag == "skipped":
            outcome = SKIPPED
            said.append(_first_line(problem.get("message")))
    return Finding(name=case.get("name", ""), outcome=outcome, seconds=float(case.get("time", 0)), said=said)


def _words(text: str) -> list[str]:
    """The lines that a test printed, without pytest's headings."""
    return [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith("----")]


def _first_line(message: str | None) -> str:
    return (message or "").partition("\n")[0]


def _told(finding: Finding) -> list[str]:
    told = [f"    {line.strip()}" for line in finding.said]
    return [f"  {finding.name}: {finding.outcome} after {finding.seconds:.0f} s", *told]
