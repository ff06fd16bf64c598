"""What the running agent brings into memory, which is most of what it costs its server."""

import subprocess
import sys

DEAR = (
    "ssl",
    "_hashlib",
    "ctypes",
    "email",
    "http",
    "importlib.metadata",
    "multiprocessing",
    "psutil",
    "tomllib",
    "unittest",
)


def test_the_running_agent_imports_nothing_dear_that_it_does_not_need() -> None:
    program = "import agent.__main__, agent.agent, sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules = set(found.stdout.split())

    assert {"agent.uplink.uplink", "grpc", "asyncio"} <= modules
    assert modules.isdisjoint(DEAR)
