"""Processors: how busy, how fast, and who waits for them."""
