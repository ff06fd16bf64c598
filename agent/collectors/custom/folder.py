"""The folder of custom metrics: each file is asked by itself, on threads of its own, so that none stops another."""

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, TypeAlias

from agent.calm import Calm
from agent.collectors.collector import SeriesKey
from agent.collectors.custom.listing import Listed, list_folder
from agent.collectors.custom.program import run_program
from agent.collectors.custom.reading import CustomKey, Meter, Told, read_told
from agent.collectors.custom.scrape import ENDING as SCRAPE_ENDING
from agent.collectors.custom.scrape import EVERY_S as SCRAPE_EVERY_S
from agent.collectors.custom.scrape import Scrape
from agent.collectors.custom.settings import CustomSettings
from agent.collectors.custom.text_file import TextFile

MAX_SERIES = 1000  # of all files together: half of what ingest takes of an agent
KEEP_S = 3600.0  # a series that is told no more stays so long as a hole: each other set of series is stored for good
LOOK_EVERY_S = 10.0
AT_ONCE = 4  # executables that run at the same time
NEVER_S = math.inf  # an executable has a limit of its own


class Found(NamedTuple):
    """The series with their values, and which files fail, with the reason."""

    series: tuple[SeriesKey, ...] = ()
    values: tuple[float, ...] = ()
    failing: Mapping[str, str] = {}


_Identity: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...]]
"""What tells a series from another: the metric's name, label keys and values. Unit and description may change."""


class _Kept(NamedTuple):
    key: SeriesKey
    told_at_s: float


class _File(NamedTuple):
    listed: Listed
    asked: Calm[Told]
    meter: Meter


class CustomFolder:
    """What the folder tells now; shared by all sets of collectors, so that every executable runs once.

    Args:
        settings: where it is, and how often it is asked.
    """

    def __init__(self, *, settings: CustomSettings) -> None:
        self._settings = settings
        self._slots = threading.Semaphore(AT_ONCE)
        self._listing = Calm(ask=self._list, every_s=LOOK_EVERY_S)
        self._files: dict[str, _File] = {}
        self._kept: dict[_Identity, _Kept] = {}
        self._series: tuple[SeriesKey, ...] = ()

    def at(self, now_s: float) -> Found:
        """What is told at `now_s`, monotonic seconds. Raises OSError or ValueError when the folder can't be used."""
        self._follow(self._listing.latest(now_s) or ())
        failing: dict[str, str] = {}
        values: dict[_Identity, tuple[SeriesKey, float]] = {}
        for name, file in self._files.items():
            try:
                told = _ask(file, now_s)
            # It runs what people write: whatever it stumbles over is its own hole.
            except Exception as error:  # noqa: BLE001
                failing[name] = str(error) if type(error) in (ValueError, TimeoutError) else f"{error!r}"
                continue
            for (metric, labels), value in told.items():
                identity = (metric.name, metric.label_keys, labels)
                if identity in values:
                    failing[name] = f"{metric.name} of the same labels comes from another file, too; that one counts."
                values.setdefault(identity, ((metric, labels), value))
        if len(values) > MAX_SERIES:
            failing["series"] = f"{len(values)} series; {MAX_SERIES} at most, the last files' are left out."
            values = dict(list(values.items())[:MAX_SERIES])
        return self._keep(values, failing, now_s)

    def _list(self) -> tuple[Listed, ...]:
        return list_folder(self._settings.folder, required=self._settings.required, user=os.geteuid())

    def _follow(self, listed: tuple[Listed, ...]) -> None:
        """Ask the files that are there now; what is the same file as before goes on."""
        if [file.listed for file in self._files.values()] == list(listed):
            return
        known = {file.listed: file for file in self._files.values()}
        self._files = {one.name: known.get(one) or self._open(one) for one in listed}

    def _open(self, listed: Listed) -> _File:
        every_s = self._settings.interval_s
        ask: Callable[[], Told] = partial(self._run, listed)
        if listed.name.endswith(SCRAPE_ENDING):
            every_s, ask = SCRAPE_EVERY_S, Scrape(path=listed.path).read
        elif listed.is_text:
            every_s, ask = LOOK_EVERY_S, TextFile(path=listed.path, stale_s=self._settings.stale_s).read
        return _File(listed, Calm(ask=ask, every_s=every_s, late_s=NEVER_S, first_within_s=0.0), Meter())

    def _run(self, listed: Listed) -> Told:
        with self._slots:
            output = run_program(
                [listed.path], folder=os.fspath(self._settings.folder), within_s=self._settings.timeout_s
            )
            return read_told(output, at_s=time.monotonic())

    def _keep(
        self, values: Mapping[_Identity, tuple[SeriesKey, float]], failing: Mapping[str, str], now_s: float
    ) -> Found:
        """What is told, each series in the place where it was before, so that the layout changes seldom."""
        for identity, (key, _) in values.items():
            self._kept[identity] = _Kept(key, now_s)
        absent = [identity for identity in self._kept if identity not in values]
        too_many = len(self._kept) - MAX_SERIES
        for number, identity in enumerate(sorted(absent, key=lambda one: self._kept[one].told_at_s)):
            if number < too_many or now_s - self._kept[identity].told_at_s > KEEP_S:
                del self._kept[identity]
        series = tuple(kept.key for kept in self._kept.values())
        if series == self._series:
            series = self._series  # the very same, which is compared soonest
        self._series = series
        found = (values.get(identity) for identity in self._kept)
        return Found(series, tuple(math.nan if one is None else one[1] for one in found), failing)


def _ask(file: _File, now_s: float) -> Mapping[CustomKey, float]:
    """What a file tells; nothing before its first answer. Raises whatever it failed with."""
    if file.listed.fault:
        raise ValueError(file.listed.fault)
    told = file.asked.latest(now_s)
    if told is not None:
        file.meter.update(told)
    return file.meter.values
