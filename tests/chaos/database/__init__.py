"""PostgreSQL away, full, killed, stalled, or not durable."""
