"""What became of a run's features, and what happened while it ran."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from glossator.records import (
    ItemState,
    PacePoint,
    RunCounts,
    RunCoverage,
    RunEventKind,
    RunHistory,
    RunItem,
    StoredRunEvent,
)
from glossator.run_report.score_tallies import reasons
from glossator.run_report.standings import Standing

SHOWN = 60
"""Events that are shown: half from the beginning, half from the end."""
PACE_POINTS = 48
_HALTS = frozenset(
    {
        RunEventKind.PAUSED,
        RunEventKind.STOPPED,
        RunEventKind.BUDGET_SPENT,
        RunEventKind.TIME_UP,
        RunEventKind.FINISHED,
    }
)


def coverage(items: Sequence[RunItem], standings: Mapping[int, Standing], unscored: int) -> RunCoverage:
    """What became of all features.

    Args:
        items: All features of the run.
        standings: Of the features whose card was found.
        unscored: Features with a card and a label, but no score.

    """
    states = Counter(item.state for item in items)
    failed = [i for i in items if i.state is ItemState.FAILED]
    skipped = [i for i in items if i.state is ItemState.SKIPPED]
    done = (i for i in items if i.state is ItemState.DONE)
    earlier = [one for i in skipped if (one := standings.get(i.feature.index)) is not None]
    return RunCoverage(
        counts=RunCounts(**{state.value: states[state] for state in ItemState}),
        verdicts=dict(Counter(one.verdict.value for one in standings.values())),
        failed=reasons(Counter(i.reason or "no reason given" for i in failed)),
        retryable=sum(i.retryable for i in failed),
        skipped=reasons(Counter(i.reason or "no reason given" for i in skipped)),
        earlier_cards=len(earlier),
        earlier_verdicts=dict(Counter(one.verdict.value for one in earlier)),
        unscored=unscored,
        missing_cards=sum(i.feature.index not in standings for i in done),
    )


def history(events: Sequence[StoredRunEvent], ended: Sequence[int] = ()) -> RunHistory:
    """What happened, in order, with the times that it took.

    Args:
        events: All that happened.
        ended: When features ended, in milliseconds of the wall clock (Unix time).

    """
    listed = sorted(events, key=lambda e: e.seq)
    lived = sorted(datetime.fromtimestamp(moment / 1000, UTC) for moment in ended)
    half = SHOWN // 2
    shown = listed if len(listed) <= SHOWN else [*listed[:half], *listed[-half:]]
    started = [e.at for e in listed if e.event.kind is RunEventKind.STARTED]
    return RunHistory(
        events=tuple(shown),
        left_out=len(listed) - len(shown),
        counts=dict(Counter(e.event.kind.value for e in listed)),
        began=started[0] if started else "",
        ended=_last_sign(listed[-1], lived, None).isoformat() if listed else "",
        running_seconds=_running(listed, lived),
        outage_seconds=_outages(listed, lived),
    )


def pace(ended: Sequence[int]) -> tuple[PacePoint, ...]:
    """Features that ended by stretch of time, of equal lengths, at most `PACE_POINTS`.

    Args:
        ended: When each ended, in milliseconds of the wall clock (Unix time).

    """
    if not ended:
        return ()
    first, last = min(ended), max(ended)
    span = max((last - first) / 1000 / 60, 1 / 60)
    points = min(PACE_POINTS, max(1, round(span)))
    minutes = span / points
    counts = [0] * points
    for moment in ended:
        counts[min(points - 1, int((moment - first) / 60_000 / minutes))] += 1
    start = datetime.fromtimestamp(first / 1000, UTC)
    return tuple(
        PacePoint(
            at=(start + timedelta(minutes=minutes * i)).isoformat(timespec="seconds"),
            minutes=minutes,
            features=n,
        )
        for i, n in enumerate(counts)
    )


def _running(events: Sequence[StoredRunEvent], lived: Sequence[datetime]) -> float:
    """Seconds between each start and the halt that followed, or the last sign of life before the next start:
    what was killed notes no halt."""
    total, began, sign = 0.0, None, None
    for one in events:
        kind = one.event.kind
        if kind is RunEventKind.STARTED:
            if began is not None and sign is not None:
                total += _seconds(began, _last_sign(sign, lived, one))
            began = _moment(one.at)
        elif kind in _HALTS and began is not None:
            total += _seconds(began, _moment(one.at))
            began = None
        if kind is not RunEventKind.RETRIED:  # somebody asked for it, whether or not anything ran
            sign = one
    if began is not None and sign is not None:
        total += _seconds(began, _last_sign(sign, lived, None))
    return total


def _last_sign(event: StoredRunEvent, lived: Sequence[datetime], until: StoredRunEvent | None) -> datetime:
    """The later of `event` and the last feature that ended before `until`."""
    n = len(lived) if until is None else bisect_right(lived, _moment(until.at))
    noted = _moment(event.at)
    return max(noted, lived[n - 1]) if n else noted


def _outages(events: Sequence[StoredRunEvent], lived: Sequence[datetime]) -> float:
    """Seconds in which some worker waited for an endpoint; of one that was killed, up to the last sign of
    life before the next start."""
    total, waiting, began, sign = 0.0, set[str](), None, None
    for one in events:
        kind, worker = one.event.kind, one.event.worker
        if kind is RunEventKind.STARTED:
            waiting.clear()
            if began is not None and sign is not None:
                total += _seconds(began, _last_sign(sign, lived, one))
            began = None
        if kind is not RunEventKind.RETRIED:
            sign = one
        if kind is RunEventKind.OUTAGE_BEGAN:
            began = began or _moment(one.at)
            waiting.add(worker)
        elif kind in (RunEventKind.OUTAGE_ENDED, RunEventKind.WORKER_LOST, RunEventKind.WORKER_ENDED):
            waiting.discard(worker)
        elif kind in _HALTS:
            waiting.clear()
        if began is not None and not waiting:
            total += _seconds(began, _moment(one.at))
            began = None
    if began is not None:
        total += _seconds(began, _moment(events[-1].at))
    return total


def _moment(at: str) -> datetime:
    moment = datetime.fromisoformat(at)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds(begin: datetime, end: datetime) -> float:
    """Clocks differ and are set: time never runs backwards here."""
    return max(0.0, (end - begin).total_seconds())
