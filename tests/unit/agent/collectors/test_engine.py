"""Containers' names are asked of an engine over its socket."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from agent.collectors.containers.engine import engine_names
from agent.collectors.containers.identity import Container
from agent.collectors.containers.names import ContainerNames
from tests.unit.agent.collectors.trees import DATABASE, WEB

LISTED = json.dumps([{"Id": DATABASE, "Names": []}, 5, {"Id": WEB, "Names": ["/web", "/other/alias"]}])


@contextmanager
def engine(root: Path, *, status: int = 200, body: str = LISTED) -> Iterator[list[str]]:
    """Something that answers HTTP on docker's socket; yields the paths that it is asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_request(self, code: object = "-", size: object = "-") -> None:
            return

    (root / "run").mkdir()
    with socketserver.UnixStreamServer(str(root / "run/docker.sock"), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


def test_an_engine_tells_the_names_of_its_containers(tmp_path: Path) -> None:
    with engine(tmp_path) as asked:
        found = engine_names(tmp_path)

    assert found == {WEB: "web"}
    assert asked == ["/containers/json"]


@pytest.mark.parametrize(
    ("status", "body"), [(403, LISTED), (200, "no JSON"), (200, "{}"), (200, "[5]"), (200, '[{"Id": "x"}]'), (200, "")]
)
def test_an_engine_that_tells_nothing_is_no_failure(tmp_path: Path, status: int, body: str) -> None:
    with engine(tmp_path, status=status, body=body):
        assert engine_names(tmp_path) == {}


def test_where_there_is_no_engine_there_are_no_names(tmp_path: Path) -> None:
    assert engine_names(tmp_path) == {}


def test_an_engine_is_asked_once_for_all_containers_that_no_file_names(tmp_path: Path) -> None:
    with engine(tmp_path) as asked:
        names = ContainerNames(root=tmp_path)
        found = [names.of(Container(f"/docker/{one}", one)) for one in (WEB, DATABASE, WEB)]

    assert found == ["web", DATABASE[:12], "web"]
    assert len(asked) == 1
