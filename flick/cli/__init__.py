"""The `flick` command: a client of the API."""
