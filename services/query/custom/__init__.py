"""Metrics that are not in the catalogue: what servers have, and what was pushed to them."""
