"""Has a probe run in a process of its own: OpenSSL, which it brings, then leaves the agent's memory with it."""

import asyncio
import contextlib
import json
import sys
from datetime import datetime

from agent.network.diagnosis import Diagnosis, Problem

WITHIN_S = 45.0  # a probe has four steps of 5 s and asks a name server, which may take as long again
_CHILD = (sys.executable, "-P", "-m", "agent.network")  # -P: never what lies in the working directory


async def probe_apart(*, address: str, ca_pem: str, now: datetime, within_s: float = WITHIN_S) -> Diagnosis | None:
    """What `Probe.run` says of gRPC at this address; None also when that could not be found out in time."""
    asked = json.dumps({"address": address, "ca_pem": ca_pem, "now": now.isoformat()})
    try:
        async with asyncio.timeout(within_s):
            answer = json.loads(await _answer_to(asked.encode()))
    except (OSError, TimeoutError, ValueError):
        return None
    return Diagnosis(Problem[answer[0]], answer[1]) if answer else None


async def _answer_to(question: bytes) -> bytes:
    """What the child writes. It does not outlive this call."""
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(*_CHILD, stdin=pipe, stdout=pipe, stderr=nowhere)
    try:
        answer, _ = await child.communicate(question)
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    return answer
