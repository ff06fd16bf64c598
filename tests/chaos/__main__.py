"""`make chaos`: every scenario in its long form, then one report, in build/chaos.json.

`python -m tests.chaos NAME…` runs only those; `--list` tells what there is.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from flick.lifecycle import stop_requested
from tests.chaos.whole.parts import PARTS, Part, minutes
from tests.chaos.whole.report import FAILED, Report
from tests.chaos.whole.run import run
from tests.deployables import ROOT


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Runs the long fault scenarios.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; none: all")
    parser.add_argument("--list", action="store_true", help="tell what there is, and run nothing")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {part.name for part in PARTS}
    if unknown:
        parser.error(f"nothing is called {', '.join(sorted(unknown))}; --list tells what there is")
    parts = [part for part in PARTS if not arguments.names or part.name in arguments.names]
    if arguments.list:
        sys.stdout.writelines(
            f"{part.name:10} {part.minutes:4g} minutes  {part.lane.name.lower():8} {part.what}\n" for part in parts
        )
        return 0
    _tell(f"{len(parts)} parts, about {minutes(parts):.0f} minutes")
    report = asyncio.run(_run_unless_stopped(parts))
    if report is None:
        _tell("stopped; build/chaos.json has what was found until then")
        return 1
    _tell("\n".join(report.table()))
    failed = ", ".join(one.name for one in report.results if one.outcome == FAILED)
    _tell(f"build/chaos.json has it all; {f'FAILED: {failed}' if failed else 'every promise was kept'}")
    return 0 if report.ok else 1


async def _run_unless_stopped(parts: Sequence[Part]) -> Report | None:
    """The report; None when this process was asked to stop, by Ctrl-C or SIGTERM: then the parts have ended, too."""
    running = asyncio.create_task(run(parts, folder=ROOT / "build", tell=_tell))
    async with stop_requested() as stop:
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if running.done():
            return running.result()
        running.cancel()
        await asyncio.wait({running})
    return None


def _tell(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
