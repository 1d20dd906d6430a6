"""How far long work has come: a live bar on a terminal, a plain line now and then elsewhere.

Everything goes to stderr, so that piped results stay clean. Work reports `advance(done, total)` with
absolute numbers as often as it likes; drawing is throttled here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from glossator.report.token_marks import safe_text

Advance = Callable[[int, int | None], None]
"""What long work calls with what is done and, where known, the total."""


class TaskProgress:
    """Progress of work that goes through named stages; use it as a context manager.

        with TaskProgress() as progress:
            progress.stage("index", unit="tokens")
            build(corpus, on_progress=progress.advance)

    Threads may share it. Leaving it, also by an exception, ends the live display.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        every_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        quiet: bool = False,
    ) -> None:
        """Set up, showing nothing yet.

        Args:
            console: Where to draw; stderr if None.
            every_seconds: Least time between two plain lines of one stage.
            clock: Seconds, rising.
            quiet: Show nothing at all.

        """
        self._console = console or Console(stderr=True)
        self._every = every_seconds
        self._clock = clock
        self._quiet = quiet
        self._lock = threading.RLock()
        self._name, self._unit = "", "items"
        self._done: int = 0
        self._total: int | None = None
        self._started = self._last_line = self._clock()
        self._first_done: int | None = None
        self._live: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> TaskProgress:
        if self._console.is_terminal and not self._quiet:
            self._live = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=28),
                _CountColumn(),
                TimeRemainingColumn(compact=True),
                console=self._console,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._finish_stage(interrupted=kind is not None)
            if self._live is not None:
                self._live.stop()
                self._live = None

    def stage(self, name: str, unit: str = "items") -> None:
        """Begin the stage `name`, counted in `unit`; the one before it is over."""
        with self._lock:
            self._finish_stage(interrupted=False)
            self._name, self._unit = safe_text(name), unit
            self._done, self._total, self._first_done = 0, None, None
            self._started = self._last_line = self._clock()
            if self._live is not None:
                self._task = self._live.add_task(self._name, total=None, unit=unit)

    def advance(self, done: int, total: int | None = None) -> None:
        """Say that `done` of `total` are done, counted from the start of the stage.

        What was done before the first call (a resumed build) does not count towards the rate.
        """
        with self._lock:
            if self._first_done is None:
                self._first_done = done if done > 0 and total is not None and done < total else 0
            self._done, self._total = done, total
            if self._live is not None and self._task is not None:
                self._live.update(self._task, completed=done, total=total, rate=self._rate())
            elif self._clock() - self._last_line >= self._every:
                self._last_line = self._clock()
                self._print(self._line())

    def callback(self, name: str, unit: str = "items") -> Advance:
        """An `advance` that begins the stage `name` at its first call."""
        begun = False

        def advance(done: int, total: int | None = None) -> None:
            nonlocal begun
            with self._lock:
                if not begun:
                    begun = True
                    self.stage(name, unit)
                self.advance(done, total)

        return advance

    def note(self, message: str) -> None:
        """Print a line without disturbing the display."""
        self._print(safe_text(message))

    def _finish_stage(self, *, interrupted: bool) -> None:
        """Say how the stage ended, and forget it."""
        if not self._name:
            return
        if self._live is not None and self._task is not None:
            if not interrupted and self._total is None:
                self._live.update(self._task, total=max(self._done, 1), completed=max(self._done, 1))
            self._live.stop_task(self._task)
        else:
            ended = "stopped" if interrupted else "done"
            elapsed = duration_words(self._clock() - self._started)
            self._print(f"{self._name}: {ended}, {self._counted()} in {elapsed}")
        self._name, self._task = "", None

    def _rate(self) -> float:
        """Units a second in this stage; 0 while unknown."""
        elapsed = self._clock() - self._started
        return (self._done - (self._first_done or 0)) / elapsed if elapsed > 0 else 0.0

    def _counted(self) -> str:
        total = "" if self._total is None else f"/{self._total:,}"
        return f"{self._done:,}{total} {self._unit}"

    def _line(self) -> str:
        rate = self._rate()
        line = f"{self._name}: {self._counted()}, {rate_words(rate)} {self._unit}/s"
        if self._total and rate > 0 and self._total > self._done:
            line += f", {duration_words((self._total - self._done) / rate)} left"
        return line

    def _print(self, line: str) -> None:
        if not self._quiet:
            self._console.print(Text(line), soft_wrap=True)


class _CountColumn(ProgressColumn):
    """Done, total and rate, as `1,024/4,096 tokens 2,600/s`."""

    def render(self, task: Task) -> Text:
        """The column for one stage."""
        total = "" if task.total is None else f"/{task.total:,.0f}"
        rate = task.fields.get("rate", 0.0)
        shown = Text(f"{task.completed:,.0f}{total} {task.fields.get('unit', '')}")
        return shown.append(f" {rate_words(rate)}/s", style="dim") if rate else shown


def rate_words(rate: float) -> str:
    """A rate with as many digits as help."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" if rate >= 1 else f"{rate:.2g}"


def duration_words(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
