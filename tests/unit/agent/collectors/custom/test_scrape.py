"""Which metrics of a program on this machine count: what the file says, and what becomes of its page."""

import os
from pathlib import Path

import pytest

from agent.collectors.custom.scrape import Scrape, read_source

GOOD = 'url = "http://127.0.0.1:9100/metrics"\nmetrics = ["a_total"]\n'


def test_a_file_names_a_program_and_its_metrics() -> None:
    source = read_source(
        'url = "http://[::1]:9100/a/metrics?all=1"\nmetrics = ["a_total", "b_seconds"]\nlabels = { service = "shop" }\n'
    )

    assert (source.host, source.port, source.path) == ("::1", 9100, "/a/metrics?all=1")
    assert source.metrics == {"a_total", "b_seconds"}
    assert source.labels == {"service": "shop"}


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://localhost", ("localhost", 80, "/")),
        ("http://127.0.0.1:1", ("127.0.0.1", 1, "/")),
        ("http://127.8.0.1:1/m", ("127.8.0.1", 1, "/m")),
    ],
)
def test_what_an_address_leaves_out_is_as_in_browsers(url: str, place: tuple[str, int, str]) -> None:
    source = read_source(f'url = "{url}"\nmetrics = ["a"]\n')

    assert (source.host, source.port, source.path) == place


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "http://192.0.2.1/",
        "http://169.254.169.254/latest",
        "http://example.org/",
        "http://127.0.0.1@192.0.2.1/",
        "http://user@127.0.0.1/",
        "http://0.0.0.0/",
        "file:///etc/passwd",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\\r\\nX: y",
        "127.0.0.1:9100",
        "",
    ],
)
def test_only_programs_on_this_machine_are_asked(url: str) -> None:
    with pytest.raises(ValueError, match="this machine"):
        read_source(f'url = "{url}"\nmetrics = ["a"]\n')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('metrics = ["a"]\n', "url is None"),
        ('url = "http://127.0.0.1/"\n', "metrics must be"),
        ('url = "http://127.0.0.1/"\nmetrics = []\n', "metrics must be"),
        ('url = "http://127.0.0.1/"\nmetrics = ["a b"]\n', "metrics must be"),
        ('url = "http://127.0.0.1/"\nmetrics = "a"\n', "metrics must be"),
        (GOOD + "labels = { a = 1 }\n", "labels must be"),
        (GOOD + 'labels = { "9" = "a" }\n', "labels"),
        (GOOD + "every = 5\n", "every is no setting"),
        ("url = ", "Invalid value"),
        ('url = "http://127.0.0.1:99999/"\nmetrics = ["a"]\n', "Port"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_source(text)


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Scrape(path=str(tmp_path / "gone.scrape.toml")).read()


def test_a_pipe_of_that_name_holds_up_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.scrape.toml"
    os.mkfifo(path)
    with pytest.raises(ValueError, match="is no file"):
        Scrape(path=str(path)).read()
