"""Imports asyncio without its own TLS, which nothing in the agent uses: it would bring OpenSSL beside the one in gRPC.

Measured 5 MB. What needs `ssl`, joining and finding out why there is no connection, imports it then.
"""

import sys

_put_off = "ssl" not in sys.modules
if _put_off:
    sys.modules["ssl"] = None  # type: ignore[assignment]  # the import system's sign for "not to be had"

import asyncio  # noqa: E402, F401

if _put_off:
    del sys.modules["ssl"]
