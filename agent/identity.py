"""Who this agent is: a file that `flick-agent enroll` writes, and that whoever installs an agent may write itself.

The file is one JSON object, mode 0600, with these keys, all of them text:

- `server_id`: the server that the key stands for (UUID);
- `agent_key`: the agent's key, `flk_…`, which is secret;
- `ingest_address`: where to stream to, as `host:port`, always over TLS;
- `ca_pem`: the certificate authority to trust there, in PEM; empty or missing: the system's authorities.

Other keys are left to later versions. The spool's id is not here: it is made with the spool, whose sequences it names.
"""

import json
import os
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from agent.errors import AgentError
from agent.network.address import split_address


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Identity:
    """The fields are the keys of the file."""

    server_id: str
    agent_key: str
    ingest_address: str
    ca_pem: str = ""

    def __repr__(self) -> str:
        return f"Identity(server_id={self.server_id!r}, ingest_address={self.ingest_address!r})"


def default_path() -> Path:
    """Where the file is when nothing else is said."""
    if sys.platform != "win32" and os.geteuid() == 0:
        return Path("/var/lib/flick-agent/identity.json")
    return Path.home() / ".local/state/flick-agent/identity.json"


def read(path: Path) -> Identity:
    """The identity in a file. Raises AgentError naming what is wrong with it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AgentError(
            f"{path} does not exist: this server has not joined. Run `flick-agent enroll URL TOKEN`"
        ) from None
    except OSError as error:
        raise AgentError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise AgentError(f"{path} is no JSON ({error}); enroll this server again") from error
    return _checked(path, document)


def write(path: Path, identity: Identity) -> None:
    """Put the identity into a file that only its owner may read; a reader sees the old or the new one.

    Raises AgentError.
    """
    from flick.private_file import write_private  # brings cryptography that the running agent does not need

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, json.dumps(asdict(identity), indent=2) + "\n")
    except OSError as error:
        raise AgentError(f"{path} can't be written: {error.strerror}") from error


def require_writable(path: Path) -> None:
    """Raise AgentError when an identity could not be stored at `path`; to be asked before a join token is spent."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AgentError(
            f"{path.parent} can't be made: {error.strerror}; choose another place by --identity"
        ) from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise AgentError(f"{path.parent} may not be written; run as root, or choose another place by --identity")


def _checked(path: Path, document: object) -> Identity:
    if not isinstance(document, dict):
        raise AgentError(f"{path} holds no JSON object; enroll this server again")
    values = {field.name: document.get(field.name, "") for field in fields(Identity)}
    for name, value in values.items():
        if not isinstance(value, str):
            raise AgentError(f"{path}: {name} must be text; enroll this server again")
        if not value and name != "ca_pem":
            raise AgentError(f"{path}: {name} is missing; enroll this server again")
    split_address(values["ingest_address"])
    return Identity(**values)
