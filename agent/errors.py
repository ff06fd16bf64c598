"""The agent's own errors, for the person who runs it."""


class AgentError(Exception):
    """The agent can't go on. The text says what is wrong and what helps, and holds no secret."""
