"""The agent refuses settings by which it would lose samples."""

from pathlib import Path

import pytest

from agent.config import AgentConfig
from flick.config import ConfigError, load


def test_nothing_needs_to_be_set() -> None:
    config = load(AgentConfig, environ={})

    assert (config.spool_max_bytes, config.spool_max_age_s) == (64 * 1024 * 1024, 24 * 3600)


@pytest.mark.parametrize("name", ["FLICK_AGENT_SPOOL_MAX_BYTES", "FLICK_AGENT_SPOOL_MAX_AGE_S"])
@pytest.mark.parametrize("value", ["-1", "0", "59"])
def test_a_spool_that_keeps_nothing_is_refused_with_the_least_it_may_keep(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} is {value}, but must be at least \d+"):
        load(AgentConfig, environ={name: value})


@pytest.mark.parametrize(("name", "value"), [("BYTES", "1048576"), ("AGE_S", "60")])
def test_the_least_is_taken(name: str, value: str) -> None:
    config = load(AgentConfig, environ={f"FLICK_AGENT_SPOOL_MAX_{name}": value})

    assert int(value) in (config.spool_max_bytes, config.spool_max_age_s)


@pytest.mark.parametrize("value", ["0", "-0.1", "1.1", "nan", "inf"])
def test_a_budget_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"FLICK_AGENT_CPU_BUDGET is .*, but must be more than 0 and at most 1"):
        load(AgentConfig, environ={"FLICK_AGENT_CPU_BUDGET": value})


def test_a_budget_is_a_share_of_a_processor() -> None:
    assert load(AgentConfig, environ={"FLICK_AGENT_CPU_BUDGET": "0.2"}).cpu_budget == 0.2
    assert load(AgentConfig, environ={}).cpu_budget == 0.05


@pytest.mark.parametrize("value", ["-1", "0", "16777215"])
def test_a_budget_of_less_memory_than_python_takes_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=rf"FLICK_AGENT_MEMORY_BUDGET is {value}, but must be at least 16777216"):
        load(AgentConfig, environ={"FLICK_AGENT_MEMORY_BUDGET": value})


def test_a_budget_of_memory_is_in_bytes() -> None:
    assert load(AgentConfig, environ={"FLICK_AGENT_MEMORY_BUDGET": "60000000"}).memory_budget == 60_000_000
    assert load(AgentConfig, environ={}).memory_budget == 80 * 1024 * 1024


def test_custom_metrics_lie_beside_the_identity_file_unless_a_folder_is_named() -> None:
    identity = Path("/var/lib/flick-agent/identity.json")
    default = load(AgentConfig, environ={}).custom(identity)
    named = load(AgentConfig, environ={"FLICK_AGENT_CUSTOM_DIR": "/srv/metrics"}).custom(identity)

    assert (default.folder, default.required) == (Path("/var/lib/flick-agent/custom"), False)
    assert (named.folder, named.required) == (Path("/srv/metrics"), True)
    assert (default.interval_s, default.timeout_s, default.stale_s) == (60, 10, 90_000)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("INTERVAL_S", "4", "must be 5 to 3600"),
        ("INTERVAL_S", "3601", "must be 5 to 3600"),
        ("INTERVAL_S", "nan", "must be 5 to 3600"),
        ("TIMEOUT_S", "0", "must be 0.1 to 60"),
        ("TIMEOUT_S", "61", "must be 0.1 to 60"),
        ("STALE_S", "0", "must be 1 to inf"),
    ],
)
def test_times_of_custom_metrics_that_can_not_be_meant_are_refused(name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError, match=f"FLICK_AGENT_CUSTOM_{name} is {value}, but {words}"):
        load(AgentConfig, environ={f"FLICK_AGENT_CUSTOM_{name}": value})
