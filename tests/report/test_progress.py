from __future__ import annotations

import io

import pytest
from rich.console import Console

from glossator.report.progress import TaskProgress, duration_words, rate_words


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _plain() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=False, width=80), out


def test_plain_lines_come_every_ten_seconds_with_rate_and_time_left() -> None:
    console, out = _plain()
    clock = _Clock()
    with TaskProgress(console, clock=clock) as progress:
        progress.stage("index", unit="tokens")
        for done in range(0, 2500, 100):
            progress.advance(done, 10_000)
            clock.now += 1.0
    lines = out.getvalue().splitlines()
    assert lines == [
        "index: 1,000/10,000 tokens, 100 tokens/s, 1 min 30 s left",
        "index: 2,000/10,000 tokens, 100 tokens/s, 1 min 20 s left",
        "index: done, 2,400/10,000 tokens in 25 s",
    ]


def test_resumed_work_is_not_counted_as_speed() -> None:
    console, out = _plain()
    clock = _Clock()
    with TaskProgress(console, clock=clock) as progress:
        progress.stage("index", unit="tokens")
        progress.advance(5_000, 10_000)
        clock.now += 10
        progress.advance(5_500, 10_000)
    assert out.getvalue().splitlines()[0] == "index: 5,500/10,000 tokens, 50.0 tokens/s, 1 min 30 s left"


def test_each_stage_ends_with_a_line_and_an_interruption_says_so() -> None:
    console, out = _plain()
    clock = _Clock()

    def work() -> None:
        with TaskProgress(console, clock=clock) as progress:
            index, label = progress.callback("index", "tokens"), progress.callback("label", "features")
            index(7, 7)
            clock.now += 3
            label(1, 25)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert out.getvalue().splitlines() == [
        "index: done, 7/7 tokens in 3 s",
        "label: stopped, 1/25 features in 0 s",
    ]


def test_a_terminal_gets_a_live_bar_and_names_are_not_markup() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with TaskProgress(console) as progress:
        progress.stage("read [red]", unit="tokens")
        progress.advance(1_024, 4_096)
        progress.note("[bold] note")
        progress.advance(4_096, 4_096)
        progress.stage("label", unit="features")
        progress.advance(3, 25)
    shown = out.getvalue()
    assert "read [red]" in shown
    assert "[bold] note" in shown
    assert "4,096/4,096 tokens" in shown
    assert "3/25 features" in shown
    assert "3/3 features" not in shown


def test_quiet_shows_nothing() -> None:
    console, out = _plain()
    with TaskProgress(console, quiet=True) as progress:
        progress.stage("index")
        progress.advance(1, 2)
        progress.note("hello")
    assert out.getvalue() == ""


def test_advancing_before_any_stage_is_harmless() -> None:
    console, out = _plain()
    with TaskProgress(console) as progress:
        progress.advance(1, 2)
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 05 min"), (-1.0, "0 s")],
)
def test_duration_words(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def test_rate_words() -> None:
    assert [rate_words(r) for r in (2613.4, 12.34, 0.1234)] == ["2,613", "12.3", "0.12"]
