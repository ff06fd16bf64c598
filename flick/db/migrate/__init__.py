"""Migrations: a service's numbered SQL files, applied once each and in order. `python -m flick.db.migrate --help`."""
