"""Watching live: one feed per server in this process, shared by all its viewers."""
