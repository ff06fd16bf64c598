"""Log records are JSON lines."""

import io
import json
import logging

from flick.log import configure


def test_a_record_is_one_json_object_with_its_fields() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure(service="ingest", level="info", stream=stream)
        logging.getLogger("services.ingest").info("serving", extra={"address": "127.0.0.1:1"})
        logging.getLogger("services.ingest").debug("unseen")
    finally:
        root.handlers[:], root.level = before, level
    records = [json.loads(line) for line in stream.getvalue().splitlines()]

    assert len(records) == 1
    assert records[0].pop("time")
    assert records[0] == {
        "message": "serving",
        "level": "INFO",
        "logger": "services.ingest",
        "service": "ingest",
        "address": "127.0.0.1:1",
    }
