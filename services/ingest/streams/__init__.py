"""The agents' streams: one session each, and the roster of those that are open."""
