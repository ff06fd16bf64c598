"""What the agent is told at its start."""

import math
from dataclasses import dataclass
from pathlib import Path

from agent.budget.cpu import CPU_SHARE
from agent.budget.memory import LEAST_BYTES, MEMORY_BYTES
from agent.collectors.custom.settings import (
    FOLDER_NAME,
    INTERVAL_S,
    LEAST_INTERVAL_S,
    LEAST_TIMEOUT_S,
    MOST_INTERVAL_S,
    STALE_S,
    TIMEOUT_S,
    CustomSettings,
)
from agent.spool.limits import MAX_AGE_S, MAX_BYTES
from flick.config import ConfigError, setting

LEAST_SPOOL_BYTES = 1024 * 1024  # some five minutes of large samples; with less, hardly any outage is bridged
LEAST_SPOOL_AGE_S = 60


@dataclass(frozen=True)
class AgentConfig:
    """The agent's settings.

    Args:
        identity: the identity file. Default: /var/lib/flick-agent/identity.json for root, else below ~/.local/state.
        spool_dir: the folder of the spool, a file by the server's id. Default: that of the identity file.
        spool_max_bytes: of samples that are kept until ingest has them; then the oldest go. At least 1 MiB, default 64.
        spool_max_age_s: how old they may become while no new ones can be sent. At least a minute, default 24 h.
        cpu_budget: how much of one processor measuring may take, more than 0 and at most 1; beyond that the costliest
            collectors are left out. Default 0.05.
        memory_budget: how many bytes the agent may hold resident; beyond that it gives back what is free, and then
            leaves out the collectors that hold most. At least 16 MiB, default 80.
        custom_dir: the folder of executables and text files with metrics of one's own. Default: `custom` beside the
            identity file, if it is there.
        custom_interval_s: how often each executable there is run, 5 s to an hour. Default 60.
        custom_timeout_s: how long it may run, less than that. Default 10.
        custom_stale_s: a text file that was not written for longer is told as failing. Default 90000: 25 h.
        log_level: the least severe log records that are written. Default INFO.
    """

    identity: Path | None = setting("FLICK_AGENT_IDENTITY", default=None)
    spool_dir: Path | None = setting("FLICK_AGENT_SPOOL_DIR", default=None)
    spool_max_bytes: int = setting("FLICK_AGENT_SPOOL_MAX_BYTES", default=MAX_BYTES)
    spool_max_age_s: int = setting("FLICK_AGENT_SPOOL_MAX_AGE_S", default=MAX_AGE_S)
    cpu_budget: float = setting("FLICK_AGENT_CPU_BUDGET", default=CPU_SHARE)
    memory_budget: int = setting("FLICK_AGENT_MEMORY_BUDGET", default=MEMORY_BYTES)
    custom_dir: Path | None = setting("FLICK_AGENT_CUSTOM_DIR", default=None)
    custom_interval_s: float = setting("FLICK_AGENT_CUSTOM_INTERVAL_S", default=INTERVAL_S)
    custom_timeout_s: float = setting("FLICK_AGENT_CUSTOM_TIMEOUT_S", default=TIMEOUT_S)
    custom_stale_s: float = setting("FLICK_AGENT_CUSTOM_STALE_S", default=STALE_S)
    log_level: str = setting("FLICK_LOG_LEVEL", default="INFO")

    def __post_init__(self) -> None:
        """Refuse a spool that would give up samples as soon as it has them, and a budget that is none."""
        if not 0 < self.cpu_budget <= 1:
            raise ConfigError(f"FLICK_AGENT_CPU_BUDGET is {self.cpu_budget:g}, but must be more than 0 and at most 1.")
        for name, value, least in (
            ("FLICK_AGENT_SPOOL_MAX_BYTES", self.spool_max_bytes, LEAST_SPOOL_BYTES),
            ("FLICK_AGENT_SPOOL_MAX_AGE_S", self.spool_max_age_s, LEAST_SPOOL_AGE_S),
            ("FLICK_AGENT_MEMORY_BUDGET", self.memory_budget, LEAST_BYTES),
        ):
            if value < least:
                raise ConfigError(f"{name} is {value}, but must be at least {least}; leave it out for the default.")
        for name, seconds, least_s, most_s in (
            ("FLICK_AGENT_CUSTOM_INTERVAL_S", self.custom_interval_s, LEAST_INTERVAL_S, MOST_INTERVAL_S),
            ("FLICK_AGENT_CUSTOM_TIMEOUT_S", self.custom_timeout_s, LEAST_TIMEOUT_S, self.custom_interval_s),
            ("FLICK_AGENT_CUSTOM_STALE_S", self.custom_stale_s, 1.0, math.inf),
        ):
            if not least_s <= seconds <= most_s:
                raise ConfigError(f"{name} is {seconds:g}, but must be {least_s:g} to {most_s:g}.")

    def custom(self, identity: Path) -> CustomSettings:
        """Where custom metrics come from; `identity` is the identity file."""
        return CustomSettings(
            folder=self.custom_dir or identity.parent / FOLDER_NAME,
            required=self.custom_dir is not None,
            interval_s=self.custom_interval_s,
            timeout_s=self.custom_timeout_s,
            stale_s=self.custom_stale_s,
        )
