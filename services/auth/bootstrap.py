"""`python -m services.auth bootstrap`: what an installation can't begin without. Run it at every start."""

import platform
import socket
import sys
from importlib.metadata import version

from flick.clock import Clock, utc
from flick.config import ConfigError
from flick.v1 import servers_pb2
from services.auth.config import BootstrapConfig
from services.auth.credentials.passwords import Passwords
from services.auth.rules import names
from services.auth.store.bootstrap import Bootstrapped, BootstrapStore, FirstAdmin

_ARCH = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm32", "i686": "x86"}  # OpenTelemetry's host.arch


async def bootstrap(
    *, config: BootstrapConfig, store: BootstrapStore, passwords: Passwords, new_agent_key: bool, clock: Clock
) -> Bootstrapped:
    """Make the first organization, its owner and this machine's server, as far as they are missing.

    Raises ConfigError when the owner is missing and the settings don't say who it shall be, INVALID_ARGUMENT when they
    say it wrong.
    """

    async def first_admin() -> FirstAdmin:
        for name, value in (("FLICK_BOOTSTRAP_EMAIL", config.email), ("FLICK_BOOTSTRAP_PASSWORD", config.password)):
            if not value:
                raise ConfigError(f"{name} is not set, and there is no admin yet.")
        email = names.email(config.email)
        return FirstAdmin(email=email, password_hash=await passwords.hash(names.new_password(config.password)))

    return await store.run(
        first_admin=first_admin,
        host=this_host(),
        version=version("flick"),
        new_agent_key=new_agent_key,
        now=utc(clock),
    )


def this_host() -> servers_pb2.Host:
    """The machine that this runs on."""
    return servers_pb2.Host(
        hostname=socket.gethostname(),
        os_type=sys.platform,
        os_description=_os_description(),
        arch=_ARCH.get(platform.machine(), platform.machine()),
    )


def _os_description() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()
