"""Structured logs: one JSON object per line on standard error, by standard `logging`."""

import logging
import sys
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter


def configure(*, service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send this process's log records to `stream` (standard error) as JSON with time, level, logger and service.

    Raises ValueError when `level` is no level's name.
    """
    formatter = JsonFormatter(
        "{message}{asctime}{levelname}{name}",
        style="{",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        static_fields={"service": service},
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
