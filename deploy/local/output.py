"""What `flick up` says: a few calm lines for people, or a JSON object per line for programs."""

import json
from typing import Any, Protocol, TextIO

from deploy.local.supervision.part import Happening, Report

_BAR_WIDTH = 24


class Output(Protocol):
    """Where the launcher's news go."""

    def progress(self, what: str, fraction: float | None) -> None:
        """Something takes a while; `fraction` of it (0 to 1) is done, None when unknown."""
        ...

    def notice(self, text: str) -> None:
        """Something that the operator should know; nothing is wrong."""
        ...

    def report(self, report: Report) -> None:
        """Something happened to a part."""
        ...

    def ready(self, facts: dict[str, Any]) -> None:
        """Everything runs. `facts`: url, email, password (None after the first start), server_id, ingest and more."""
        ...

    def failed(self, error: str) -> None:
        """The start failed."""
        ...

    def stopping(self) -> None:
        """Everything is being drained and stopped."""
        ...


class JsonOutput:
    """One JSON object per line on `stream`, each with `event`; errors also in words on `errors`."""

    def __init__(self, *, stream: TextIO, errors: TextIO) -> None:
        self._stream = stream
        self._errors = errors
        self._last_progress: tuple[str, int | None] | None = None

    def progress(self, what: str, fraction: float | None) -> None:
        """See `Output`; told only when a whole percent is gained."""
        percent = None if fraction is None else int(fraction * 100)
        if (what, percent) != self._last_progress:
            self._last_progress = (what, percent)
            self._line("progress", what=what, percent=percent)

    def notice(self, text: str) -> None:
        """See `Output`."""
        self._line("notice", text=text)

    def report(self, report: Report) -> None:
        """See `Output`."""
        if report.happening is Happening.STARTING:
            self.progress(f"starting {report.part}", None)
        elif report.happening is Happening.READY:
            self._line("started", part=report.part)
        elif report.happening is Happening.DIED:
            self._line(
                "died",
                part=report.part,
                how=report.detail,
                restart_in_s=report.restart_in_s,
                last_lines=list(report.last_lines),
                log=str(report.log),
            )
        elif report.happening in (Happening.STOPPED, Happening.KILLED):
            self._line(str(report.happening), part=report.part)

    def ready(self, facts: dict[str, Any]) -> None:
        """See `Output`."""
        self._line("ready", **facts)

    def failed(self, error: str) -> None:
        """See `Output`."""
        self._line("failed", error=error)
        _write(self._errors, f"flick up: {error}\n")

    def stopping(self) -> None:
        """See `Output`."""
        self._line("stopping")

    def _line(self, event: str, **values: Any) -> None:
        _write(self._stream, json.dumps({"event": event, **values}) + "\n")


class HumanOutput:
    """Lines for people; on a terminal the progress stays on one line."""

    def __init__(self, *, stream: TextIO, errors: TextIO) -> None:
        self._stream = stream
        self._errors = errors
        self._terminal = stream.isatty()
        self._last_what = ""
        self._is_up = False

    def progress(self, what: str, fraction: float | None) -> None:
        """See `Output`."""
        if self._terminal:
            bar = "" if fraction is None else f"  {'█' * round(fraction * _BAR_WIDTH):░<{_BAR_WIDTH}} {fraction:4.0%}"
            _write(self._stream, f"\r\x1b[K  {what} …{bar}")
        elif what != self._last_what:
            _write(self._stream, f"  {what} …\n")
        self._last_what = what

    def notice(self, text: str) -> None:
        """See `Output`."""
        self._say(f"  {text}")

    def report(self, report: Report) -> None:
        """See `Output`: starts are progress, the rest is told as it is."""
        if report.happening is Happening.STARTING and not self._is_up:
            self.progress(f"starting {report.part}", None)
        elif report.happening is Happening.READY and self._is_up:
            self._say(f"  {report.part} runs again")
        elif report.happening is Happening.DIED:
            lines = "".join(f"\n    | {line}" for line in report.last_lines)
            self._say(
                f"  {report.part} died ({report.detail}) and is restarted in {report.restart_in_s or 0:.1f} s; "
                f"its log is {report.log}{lines}"
            )
        elif report.happening is Happening.KILLED:
            self._say(f"  {report.part} {report.detail} and was killed")

    def ready(self, facts: dict[str, Any]) -> None:
        """See `Output`."""
        self._is_up = True
        lines = [f"FLick runs at {facts['url']}", "", f"  e-mail    {facts['email']}"]
        if facts["password"] is not None:
            lines += [f"  password  {facts['password']}", "            shown only this once, and stored only hashed"]
        lines += [f"  data      {facts['data_dir']}", "", "Ctrl-C stops it."]
        self._say("\n".join(lines))

    def failed(self, error: str) -> None:
        """See `Output`."""
        self._say("", end="")
        _write(self._errors, f"flick up: {error}\n")

    def stopping(self) -> None:
        """See `Output`."""
        self._say("Stopping; Ctrl-C again ends everything at once.")

    def _say(self, text: str, *, end: str = "\n") -> None:
        _write(self._stream, ("\r\x1b[K" if self._terminal else "") + text + end)


def _write(stream: TextIO, text: str) -> None:
    """Write at once. A reader that went away, or a closed terminal, must not end what is running."""
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        return
