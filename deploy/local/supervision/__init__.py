"""Keeping the parts of FLick running: order, health, restarts, logs, the end."""
