"""Moments at which tests ask collectors."""

from agent.collectors.collector import Moment


def at(seconds: float) -> Moment:
    return Moment(monotonic_s=seconds, boottime_s=1000 + seconds)
