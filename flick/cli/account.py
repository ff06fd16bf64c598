"""`flick login`, `flick logout`, `flick whoami`."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from flick.cli.api import Api, ApiError
from flick.cli.credentials import Credential
from flick.cli.failure import CliError, ExitCode
from flick.cli.invocation import Json, Url, invocation, say, show_json
from flick.cli.session import renewed
from flick.cli.trust import authority_for

Email = Annotated[str, typer.Option(help="E-mail address. Asked for when it is not given.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Ca = Annotated[
    Path | None, typer.Option("--ca", help="The installation's certificate authority in PEM.", metavar="FILE")
]


def login(
    context: typer.Context,
    url: Url = "",
    email: Email = "",
    password_stdin: PasswordStdin = False,
    ca: Ca = None,
    json: Json = False,
) -> None:
    """Sign in. The session is kept in a file that only you can read."""
    run = invocation(context)
    target = run.url(url)
    known = run.store.get(target)
    asks = sys.stdin.isatty() and not password_stdin
    pem = authority_for(target, ca_file=ca, known_pem=known.ca_pem if known else "", confirm=_confirm if asks else None)
    address = email or (known.email if known and password_stdin else "") or _ask_email(asks)
    password = _read_password() if password_stdin else _ask_password(asks)
    answer = _sign_in(Api(url=target, ca_pem=pem), address, password)
    credential = renewed(Credential(url=target, email=address, refresh_token="", ca_pem=pem), answer)
    store = run.store
    with store.lock():
        store.put(credential, make_current=True)
    if json:
        show_json({"url": target, "email": address})
    else:
        say(f"Signed in at {target} as {address}.")


def logout(context: typer.Context, url: Url = "", json: Json = False) -> None:
    """Sign out.

    Ends the session there and forgets it here.
    """
    run = invocation(context)
    target = run.url(url)
    store = run.store
    with store.lock():
        credential = store.get(target)
        if credential is not None:
            store.remove(target)
    if credential is not None:
        _end_session(credential)
    if json:
        show_json({"url": target, "signedOut": credential is not None})
    else:
        say(f"Signed out of {target}." if credential else f"You were not signed in at {target}.")


def whoami(context: typer.Context, url: Url = "", json: Json = False) -> None:
    """Show who is signed in, and where."""
    session = invocation(context).session(url)
    me = session.get("/api/v1/auth/me")
    if json:
        show_json({"url": session.url, **me})
        return
    say(f"{me['email']} at {session.url}")
    for membership in me.get("organizations", []):
        role = membership["role"].removeprefix("ROLE_").lower()
        say(f"  {role} of {membership['organization']['displayName']}")


def _sign_in(api: Api, email: str, password: str) -> dict[str, object]:
    try:
        return api.call("POST", "/api/v1/auth/login", body={"email": email, "password": password})
    except ApiError as error:
        if error.status == 401:
            raise CliError(
                f"{error.text} Check the e-mail address and the password.", code=ExitCode.NOT_SIGNED_IN
            ) from error
        raise


def _end_session(credential: Credential) -> None:
    """Tell the installation; a session that it can't be told of ends there by itself."""
    try:
        api = Api(url=credential.url, ca_pem=credential.ca_pem)
        api.call("POST", "/api/v1/auth/logout", body={"refreshToken": credential.refresh_token})
    except CliError as error:
        left_s = max(0.0, credential.expire_time_s - time.time())
        sys.stderr.write(
            f"flick: the session is forgotten here, but {credential.url} could not be told ({error.text}) "
            f"Its access token ends in {left_s:.0f} s.\n"
        )


def _confirm(fingerprint: str) -> bool:
    pairs = ":".join(fingerprint[index : index + 2] for index in range(0, len(fingerprint), 2))
    sys.stderr.write(
        "The gateway's certificate comes from an authority of its own with the SHA-256 fingerprint\n"
        f"  {pairs}\nCompare it with the one on the gateway's machine before you go on.\n"
    )
    return typer.confirm("Trust it from now on?", default=False, err=True)


def _ask_email(asks: bool) -> str:
    if not asks:
        raise CliError("No e-mail address is given; add --email ADDRESS.", code=ExitCode.USAGE)
    return str(typer.prompt("E-mail address", err=True))


def _ask_password(asks: bool) -> str:
    if not asks:
        raise CliError("There is no terminal to ask for the password; use --password-stdin.", code=ExitCode.USAGE)
    return str(typer.prompt("Password", hide_input=True, err=True))


def _read_password() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CliError("Standard input holds no password.", code=ExitCode.USAGE)
    return password
