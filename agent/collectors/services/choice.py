"""Which services are measured: chosen once for all sets of collectors, so that they have the same series."""

from collections.abc import Callable, Sequence

from agent.calm import Calm
from agent.collectors.roster import Roster
from agent.collectors.services.systemctl import Unit, Units, show_services

ASKED_EVERY_S = 30.0
MAX_SERVICES = 100
MAX_FAILED = 50  # beside these
_SHORT_LIVED_S = 60.0
_KEPT_S = 600.0


class ServiceChoice:
    """The hundred services that used most processor time and those that have failed.

    One that is stopped keeps its place as long as systemd remembers it, and ten minutes more.

    Args:
        show: asks systemd for all services.
    """

    def __init__(self, *, show: Callable[[], Units] = show_services) -> None:
        self._listing = Calm(ask=show, every_s=ASKED_EVERY_S)
        self._running = Roster(most=MAX_SERVICES, wait_s=_SHORT_LIVED_S, keep_s=_KEPT_S)
        self._failed = Roster(most=MAX_FAILED, wait_s=0.0, keep_s=_KEPT_S)
        self._units: Units | None = None
        self._names: frozenset[str] = frozenset()
        self._chosen: tuple[Unit, ...] = ()

    def at(self, now_s: float) -> Sequence[Unit]:
        """The chosen services by name, the very same object until systemd was asked again. `now_s`: monotonic.

        Raises as `show` does, and TimeoutError.
        """
        units = self._listing.latest(now_s)
        if units is not None and units is not self._units:
            self._units = units
            self._chosen = tuple(self._choose(units, now_s))
        return self._chosen

    def _choose(self, units: Units, now_s: float) -> Sequence[Unit]:
        busiest_first = sorted(units.values(), key=lambda unit: (-unit.cpu_ns, unit.name))
        running = [unit.name for unit in busiest_first if unit.serves or unit.name in self._names]
        failed = [unit.name for unit in busiest_first if unit.failed]
        of_use = self._running.update(running, now_s=now_s)
        self._names = frozenset(of_use)
        names = sorted({*of_use, *self._failed.update(failed, now_s=now_s)})
        return [units.get(name) or Unit.gone(name) for name in names]
