"""Rollups: minimum, time-weighted average and maximum of each metric in buckets of a minute, an hour and a UTC day."""
