"""The spool of the real agent, killed while it writes."""
