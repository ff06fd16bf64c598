"""Joining: a join token is exchanged once for this agent's own key."""
