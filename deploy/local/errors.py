"""What can go wrong on this machine while FLick starts or runs; each text says what is wrong and how to mend it."""


class LocalError(Exception):
    """A fault of this machine or of its settings that the operator can mend; the text is shown as it is."""


class UnsupportedHostError(LocalError):
    """This machine cannot carry the embedded TimescaleDB and Redis; existing servers or containers can be used."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}. Embedded TimescaleDB and Redis need Debian 12 or newer; elsewhere set FLICK_DATABASE_URL and "
            "FLICK_REDIS_URL to existing servers, or use deploy/compose.yaml"
        )


class RuntimeFetchError(LocalError):
    """TimescaleDB or Redis could not be fetched or unpacked."""


class UnreachableFolderError(LocalError):
    """The unprivileged account of the database cannot reach a folder that it needs."""


class DataVersionError(LocalError):
    """The data directory was written by another major version of PostgreSQL."""


class AlreadyRunningError(LocalError):
    """Another launcher holds the data directory."""


class PartError(LocalError):
    """A part did not become healthy, or a step of the start-up failed."""
