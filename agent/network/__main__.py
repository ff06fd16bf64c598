"""`python -m agent.network`: one probe, in a process of its own.

Reads from standard input a JSON object: `address` and `ca_pem` as `Probe` has them, and `now`, this machine's time (ISO
8601). Writes what is wrong as a JSON array, the problem's name and the text; `null` when nothing is.
"""

import json
import sys
from datetime import datetime

from agent.network.probe import Probe


def main() -> None:
    """Answer the one question."""
    asked = json.load(sys.stdin)
    probe = Probe(address=asked["address"], ca_pem=asked["ca_pem"])
    found = probe.run(now=datetime.fromisoformat(asked["now"]))
    json.dump(found and [found.problem.name, found.text], sys.stdout)


if __name__ == "__main__":
    main()
