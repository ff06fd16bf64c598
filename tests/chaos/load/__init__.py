"""Base load B: simulated agents that keep what is not acked, come back after every loss, and log what they were
promised. In this process by `under_load`, or as a program of its own by `load_program`."""

from tests.chaos.load.agent import LoadAgent, under_load

__all__ = ["LoadAgent", "under_load"]
