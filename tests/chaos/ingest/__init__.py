"""Ingest killed and restarted, and the network before it."""
