"""`flick top`: at a terminal, and as lines of JSON."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.integration.cli.command import FLICK, User, at_terminal
from tests.integration.cli.conftest import SERVERS
from tests.integration.gateway.running import Gateway, run_gateway, watching
from tests.integration.gateway.scripted import Backends, serve_query

WEB = next(iter(SERVERS))


@asynccontextmanager
async def lines(user: User, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(FLICK, "top", "--json", *arguments),
        env=user.environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_one_server_is_shown_live_and_q_ends_it(signed_in: User, gateway: Gateway) -> None:
    async with at_terminal(signed_in, "top", "web-1") as terminal:
        await watching(gateway, 1)
        gateway.backends.query.publish(WEB, 0.421)
        await terminal.shows("42.1 %")
        await terminal.shows("live, data 0.")
        await terminal.shows("postgres")
        await terminal.shows("150.0 %")
        terminal.type("q")
        code = await terminal.ends()

    assert code == 0


async def test_ctrl_c_ends_it_and_gives_the_terminal_back(signed_in: User, gateway: Gateway) -> None:
    async with at_terminal(signed_in, "top", "web-1") as terminal:
        await watching(gateway, 1)
        terminal.type("\x03")
        code = await terminal.ends()

        assert code == 0
        assert terminal.raw.decode().rstrip().endswith(("\x1b[?25h", "\x1b[?1049l"))


async def test_without_a_name_all_servers_are_listed(signed_in: User, gateway: Gateway) -> None:
    async with at_terminal(signed_in, "top") as terminal:
        await watching(gateway, 1)
        gateway.backends.query.publish("019b", 0.913)
        await terminal.shows("3 servers, live")
        await terminal.shows("91.3 %")

        assert "\x1b[31mmail" not in terminal.raw.decode(errors="replace")


async def test_it_reconnects_by_itself_and_says_what_is_wrong_meanwhile(backends: Backends, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with serve_query(backends) as address:
            gateway = await stack.enter_async_context(run_gateway(backends))
            user = User(home=tmp_path, url=gateway.url)
            await user.sign_in()
            terminal = await stack.enter_async_context(at_terminal(user, "top", "web-1"))
            await watching(gateway, 1)
            backends.query.publish(WEB, 0.25)
            await terminal.shows("25.0 %")
        await terminal.shows("trying again in")
        await stack.enter_async_context(serve_query(backends, listen=address))
        await watching(gateway, 1, within_s=20)
        backends.query.publish(WEB, 0.75)
        await terminal.shows("75.0 %")


async def test_updates_are_lines_of_json(signed_in: User, gateway: Gateway) -> None:
    async with lines(signed_in, "web-1") as process:
        assert process.stdout is not None
        await watching(gateway, 1)
        for value in (0.1, 0.2):
            gateway.backends.query.publish(WEB, value)
        found = [json.loads(await asyncio.wait_for(process.stdout.readline(), timeout=10)) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        code = await asyncio.wait_for(process.wait(), timeout=10)

    assert [one["values"][0]["value"] for one in found] == [0.1, 0.2]
    assert found[0]["serverId"] == WEB
    assert code == 0


async def test_a_server_that_is_not_there_ends_with_4(signed_in: User) -> None:
    outcome = await signed_in.flick("top", "--json", "nowhere")

    assert outcome.code == 4
    assert "flick servers ls" in outcome.err


async def test_without_a_terminal_it_wants_json(signed_in: User) -> None:
    outcome = await signed_in.flick("top", "web-1")

    assert outcome.code == 2
    assert "--json" in outcome.err


async def test_a_token_that_ends_is_renewed_without_a_gap(signed_in: User, gateway: Gateway) -> None:
    accounts = gateway.backends.accounts
    accounts.lifetime_s = 61.5  # the command renews a minute before the end
    await signed_in.sign_in()
    async with lines(signed_in, "web-1") as process:
        assert process.stdout is not None
        await watching(gateway, 1)
        before = accounts.refreshes
        async with asyncio.timeout(15):
            while accounts.refreshes == before:
                gateway.backends.query.publish(WEB, 0.1)
                await asyncio.sleep(0.1)

        assert process.returncode is None
