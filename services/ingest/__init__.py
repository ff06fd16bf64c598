"""Ingest: takes the agents' streams, commits them to TimescaleDB and announces them."""
