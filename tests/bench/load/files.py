"""How many connections a process may hold."""

import resource


def raise_file_limit() -> None:
    """Let this process, and those that it starts, open as many files as the machine allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
