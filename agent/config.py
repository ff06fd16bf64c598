"""What the agent is told at its start."""

from dataclasses import dataclass
from pathlib import Path

from agent.budget.cpu import CPU_SHARE
from agent.budget.memory import LEAST_BYTES, MEMORY_BYTES
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
        log_level: the least severe log records that are written. Default INFO.
    """

    identity: Path | None = setting("FLICK_AGENT_IDENTITY", default=None)
    spool_dir: Path | None = setting("FLICK_AGENT_SPOOL_DIR", default=None)
    spool_max_bytes: int = setting("FLICK_AGENT_SPOOL_MAX_BYTES", default=MAX_BYTES)
    spool_max_age_s: int = setting("FLICK_AGENT_SPOOL_MAX_AGE_S", default=MAX_AGE_S)
    cpu_budget: float = setting("FLICK_AGENT_CPU_BUDGET", default=CPU_SHARE)
    memory_budget: int = setting("FLICK_AGENT_MEMORY_BUDGET", default=MEMORY_BYTES)
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
