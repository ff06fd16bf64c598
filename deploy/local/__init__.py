"""Run everything on this machine without Docker: TimescaleDB, Redis, the services and an agent."""
