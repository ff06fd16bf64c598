"""What samples look like to viewers. Names and labels repeat from sample to sample, so they are made once."""

from collections import OrderedDict

from flick.v1 import query_pb2
from services.query.rules.catalog import Catalog, Wanted
from services.query.rules.measured import Measured, values
from services.query.watch.backlog import Update

MAX_KEPT = 1_000  # of some 20 KB each with every metric


class Forms:
    """Makes the messages of updates: one for all viewers of a server that want the same, who only read it.

    Args:
        catalog: the built-in metrics.
        max_kept: how many forms are kept, one per server and set of wanted metrics; what was used last is kept.
    """

    def __init__(self, *, catalog: Catalog, max_kept: int = MAX_KEPT) -> None:
        self._catalog = catalog
        self._max_kept = max_kept
        self._kept: OrderedDict[tuple[str, bool, Wanted], _Form] = OrderedDict()

    def message(self, update: Update, wanted: Wanted) -> query_pb2.WatchMetricsResponse | None:
        """The values of the metrics that are `wanted`; None when there are none."""
        key = (update.server_id, update.pushed, wanted)
        form = self._kept.get(key)
        if form is None or not form.fits(update.measured):
            form = self._kept[key] = _Form(update, wanted, self._catalog)
        self._kept.move_to_end(key)
        if len(self._kept) > self._max_kept:
            self._kept.popitem(last=False)
        return form.fill(update.measured)


class _Form:
    """The message of a server's samples in which the same values are measured, to be filled with their numbers."""

    def __init__(self, update: Update, wanted: Wanted, catalog: Catalog) -> None:
        measured = update.measured
        self._layout = measured.layout
        self._shape = _shape(measured)
        # A sample whose every value is the place where it stands: so each value of the message tells its place.
        places = [None if _is_missing(one) else float(place) for place, one in enumerate(_numbers(measured))]
        core_count = len(measured.core)
        placed = Measured(time_us=0, core=places[:core_count], layout=measured.layout, labelled=places[core_count:])
        found = values(placed, catalog=catalog, wanted=wanted)
        self._places = [int(one.value) for one in found]
        self._blank = query_pb2.WatchMetricsResponse(server_id=update.server_id, values=found)
        self._filled: tuple[Measured, query_pb2.WatchMetricsResponse] | None = None

    def fits(self, measured: Measured) -> bool:
        """Whether the sample has a value wherever the form has one, and nowhere else."""
        if self._filled is not None and self._filled[0] is measured:
            return True
        return measured.layout is self._layout and _shape(measured) == self._shape

    def fill(self, measured: Measured) -> query_pb2.WatchMetricsResponse | None:
        """The message of a sample that fits, the same again for the same sample; None when it has no values."""
        if not self._places:
            return None
        if self._filled is None or self._filled[0] is not measured:
            message = query_pb2.WatchMetricsResponse()
            message.CopyFrom(self._blank)
            message.time.FromMicroseconds(measured.time_us)
            numbers = _numbers(measured)
            for value, place in zip(message.values, self._places, strict=True):
                value.value = numbers[place]  # type: ignore[assignment]  # what is missing has no place
            self._filled = (measured, message)
        return self._filled[1]


def _numbers(measured: Measured) -> list[float | None]:
    return [*measured.core, *measured.labelled]


def _shape(measured: Measured) -> tuple[int, int, list[int]]:
    """How many values there are of both kinds, and which of them were not measured."""
    missing = [place for place, one in enumerate(_numbers(measured)) if _is_missing(one)]
    return len(measured.core), len(measured.labelled), missing


def _is_missing(value: float | None) -> bool:
    return value is None or value != value  # NaN alone is not itself
