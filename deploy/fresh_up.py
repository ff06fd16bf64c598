"""Runs `make up` as a newcomer would and measures until this machine's live metrics can be read; for `fresh.sh`.

Standard library only: it runs before anything is installed.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

METRICS_WITHIN_S = 60.0
STOP_WITHIN_S = 40.0


def main() -> int:
    """Start, measure, stop; returns 0 when all of it worked."""
    began_s = time.monotonic()
    process = subprocess.Popen(
        ["make", "--silent", "up", "ARGS=--json"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        ready = read_until_ready(process)
        ready_s = time.monotonic() - began_s
        if ready["password"] is not None:
            wait_for_metrics(ready)
            say(f"ready after {ready_s:.1f} s, live metrics after {time.monotonic() - began_s:.1f} s")
        else:
            say(f"ready after {ready_s:.1f} s (the first password is shown only once)")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)  # Ctrl-C reaches make and what it started
            process.wait(timeout=STOP_WITHIN_S)
    return 0


def read_until_ready(process: "subprocess.Popen[str]") -> Mapping[str, Any]:
    """Return the line that tells the address. Raises SystemExit when there is none."""
    assert process.stdout is not None
    for line in process.stdout:
        if not line.startswith("{"):
            continue  # what make says while it installs
        event: dict[str, Any] = json.loads(line)
        if event["event"] == "ready":
            return event
    raise SystemExit(f"make up ended with {process.wait()} before it was ready")


def wait_for_metrics(ready: Mapping[str, Any]) -> None:
    """Log in and ask for the newest sample until there is one."""
    login = {"email": ready["email"], "password": ready["password"]}
    token = call(f"{ready['url']}/api/v1/auth/login", body=login)["accessToken"]
    until_s = time.monotonic() + METRICS_WITHIN_S
    while time.monotonic() < until_s:
        try:
            if call(f"{ready['url']}/api/v1/servers/{ready['server_id']}/metrics:latest", token=token).get("values"):
                return
        except urllib.error.HTTPError as error:
            say(f"the newest sample: {error.code}, asking again")
        time.sleep(0.2)
    raise SystemExit(f"no sample arrived within {METRICS_WITHIN_S:.0f} s")


def call(url: str, *, body: Mapping[str, str] | None = None, token: str = "") -> dict[str, Any]:
    """Return the answer to a POST of the body, or to a GET without one."""
    request = urllib.request.Request(  # noqa: S310 - the launcher told the address
        url,
        data=json.dumps(body).encode() if body else None,
        headers={"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        document: dict[str, Any] = json.load(answer)
    return document


def say(text: str) -> None:
    """Print at once: the output is read while this runs."""
    print(f"          {text}", flush=True)  # noqa: T201 - a script's report


if __name__ == "__main__":
    sys.exit(main())
