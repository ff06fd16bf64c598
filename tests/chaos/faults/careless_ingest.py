"""An ingest that acks whatever was committed, durable or not. A checker that does not catch it is blind."""

import sys

from flick.db.pool import Connection
from services.ingest import assembly
from services.ingest.__main__ import main
from services.ingest.store import Store

assert hasattr(Store, "require_durable"), "it asks in another way now"


class CarelessStore(Store):
    """A store that does not ask what a commit is worth."""

    async def require_durable(self, connection: Connection) -> None:
        return


if __name__ == "__main__":
    setattr(assembly, "Store", CarelessStore)  # noqa: B010 - a plain assignment would be a type error, and rightly so
    sys.exit(main())
