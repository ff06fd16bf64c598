"""Argon2id, never more than two at a time: hashing is slow on purpose, and must not slow everything else."""

import asyncio
import base64
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from flick.errors import FlickError, Kind

# OWASP's first choice for Argon2id: about 30 ms on one core, 19 MiB each.
MEMORY_KIB = 19_456
PASSES = 2
LANES = 1
SALT_BYTES = 16
HASH_BYTES = 32

PARALLEL = 2  # threads of the executor: what hashing may take of the machine
MAX_WAITING = 30  # about half a second of work; whoever comes later is told to come again
RETRY_AFTER_S = 1.0

T = TypeVar("T")


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")


# Of nobody's password: checked for an unknown e-mail address, so that it takes as long as a known one.
_HASH_OF_NOTHING = (
    f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${_b64(bytes(SALT_BYTES))}${_b64(bytes(HASH_BYTES))}"
)


class Passwords:
    """Hashes and checks passwords in `executor`, which has `PARALLEL` threads."""

    def __init__(self, *, executor: Executor) -> None:
        self._executor = executor
        self._hasher = PasswordHasher(
            time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, hash_len=HASH_BYTES, salt_len=SALT_BYTES
        )
        self._unfinished = 0

    async def hash(self, password: bytes) -> str:
        """The hash to store, with its salt and parameters. Raises RESOURCE_EXHAUSTED when too many wait."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, hashed: str | None, password: bytes) -> bool:
        """Whether `password` is the one that was hashed; takes as long when there is none (None).

        Raises RESOURCE_EXHAUSTED when too many wait.
        """
        return await self._run(lambda: self._matches(hashed or _HASH_OF_NOTHING, password))

    def _matches(self, hashed: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._unfinished >= PARALLEL + MAX_WAITING:
            raise FlickError(
                Kind.RESOURCE_EXHAUSTED,
                "Too many people are signing in at once. Try again in a moment.",
                retry_after_s=RETRY_AFTER_S,
            )
        self._unfinished += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._unfinished -= 1
