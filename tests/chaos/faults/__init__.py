"""Faults that a test brings about: servers of its own that may be killed, frozen and filled."""
