"""Processes: how many there are, and which are the busiest."""
