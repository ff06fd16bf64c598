"""What a metric that is not in the catalogue may be called, and how large it may be. Pure; agent and ingest go by it.

`flick.v1.CustomMetric` and `flick.v1.PushedValue` say the same in words.
"""

import re
from collections.abc import Mapping

MAX_NAME_BYTES = 200
MAX_UNIT_BYTES = 40
MAX_DESCRIPTION_BYTES = 400
MAX_LABELS = 16
MAX_LABEL_KEY_BYTES = 100
MAX_LABEL_VALUE_BYTES = 512
MAX_VALUE = 3e38  # what fits into four bytes, in which values of series are stored

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_KEY = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_UCUM: Mapping[str, str] = {
    "seconds": "s",
    "milliseconds": "ms",
    "bytes": "By",
    "bits": "bit",
    "ratio": "1",
    "percent": "%",
    "celsius": "Cel",
    "volts": "V",
    "amperes": "A",
    "watts": "W",
    "joules": "J",
    "grams": "g",
    "meters": "m",
    "hertz": "Hz",
    "pascals": "Pa",
}


def is_name(name: str) -> bool:
    """Whether it is a metric's name in Prometheus's syntax. No name of the catalogue is: those have a dot."""
    return _NAME.fullmatch(name) is not None


def name_fault(name: str) -> str:
    """Why a metric can't be called so, with the fix; empty when it can."""
    if not is_name(name):
        return f"is {shown(name)}; write letters, digits, _ and :, the first no digit."
    return _length_fault(name, MAX_NAME_BYTES)


def description_of(text: str) -> str:
    """A description that may be stored: in one line, and cut where it is too long."""
    in_one_line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return in_one_line.encode(errors="replace")[:MAX_DESCRIPTION_BYTES].decode(errors="ignore").rstrip()


def unit_fault(unit: str) -> str:
    """Why this can be no unit; empty when it can."""
    if any(not " " < character < "\x7f" for character in unit):
        return f"is {shown(unit)}; write a unit of UCUM, which is ASCII without blanks, such as By or s."
    return _length_fault(unit, MAX_UNIT_BYTES)


def label_key_fault(key: str) -> str:
    """Why a label can't be called so; empty when it can."""
    if not _LABEL_KEY.fullmatch(key) or key.startswith("__"):
        return f"has the label {shown(key)}; write letters, digits and _, the first no digit and not two _."
    return _length_fault(key, MAX_LABEL_KEY_BYTES)


def labels_fault(labels: Mapping[str, str]) -> str:
    """Why a series can't have these labels; empty when it can."""
    if len(labels) > MAX_LABELS:
        return f"has {len(labels)} labels; give at most {MAX_LABELS}."
    for key, value in labels.items():
        if fault := label_key_fault(key):
            return fault
        if "\0" in value:
            return f"has the label {key} with a character NUL; leave it out."
        if fault := _length_fault(value, MAX_LABEL_VALUE_BYTES):
            return f"has the label {key}, which {fault}"
    return ""


def unit_of(name: str) -> str:
    """The unit in UCUM that a name tells by its ending, as Prometheus's names do; empty: it tells none."""
    base = name.removesuffix("_total").removesuffix("_sum")
    return _UCUM.get(base.rpartition("_")[2], "")


def ucum(unit: str) -> str:
    """The unit in UCUM that OpenMetrics calls `unit`; of one that it does not know, the word itself."""
    return _UCUM.get(unit, unit)


def rate_unit(unit: str) -> str:
    """The unit of what is counted in `unit`, by second."""
    return f"{unit or '1'}/s"


def shown(text: str) -> str:
    """What somebody wrote, as an error shows it: quoted, not too long."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def _length_fault(text: str, most: int) -> str:
    size = len(text.encode(errors="surrogatepass"))
    return f"has {size} bytes; write at most {most}." if size > most else ""
