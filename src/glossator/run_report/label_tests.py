"""Which accepted labels hold when chance is given its due: tested on their stored outcomes, all at once.

What a label has to beat is the largest of a coin, of what labels of other features reach on its own
windows, and of what they reach on average over the run; each as the upper end of its interval, save the
second for readers that are asked in words, who read a handful of windows with them.
Such readers stop early; a p-value is therefore multiplied by the number of looks at which they might have.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from glossator.comparison import Question
from glossator.paired_outcomes import answered_windows
from glossator.probes.false_discovery import CoinTest, adjusted_p, after_looks, detection_shares
from glossator.records import Estimate, Evidence, FalseDiscovery, LabelTest
from glossator.run_report.score_tallies import reasons
from glossator.run_report.standings import Standing

Q = 0.05
"""Share of false ones among the labels that hold, at most, on average."""
SHOWN = 15
MOST_LOOKS = 9
"""Looks of a reader whose sizes are not stored: as many as usual."""
NOT_MEASURED = "its detection could not be measured"
NOT_NAMED = "its score names no outcomes"
NOT_STORED = "its outcomes are not stored"
OTHER_LAYOUT = "its outcomes are not of a layout that can be tested"
ONE_KIND = "no answered windows of both kinds"


class _Tested(NamedTuple):
    standing: Standing
    p: float
    reached: float
    reached_by: str
    documents: int


def false_discovery(
    standings: Iterable[Standing],
    evidence: Callable[[str], Evidence | None],
    others: Mapping[Question, Estimate],
    *,
    seed: int,
    q: float = Q,
) -> FalseDiscovery:
    """Test every label that was scored, accepted or not, and hold the accepted ones to `q`.

    Args:
        standings: All features.
        evidence: Looks outcomes up by id.
        others: What labels of other features reach over the run, by question.
        seed: Seed of the draws.
        q: The share of false ones.

    """
    test = CoinTest(seed)
    tested: list[_Tested] = []
    untested: Counter[str] = Counter()
    accepted = 0
    for one in standings:
        accepted += one.accepted
        if not one.label:
            continue
        found = _test(one, evidence, others, test)
        if isinstance(found, str):
            untested[f"{found} ({one.verdict.value})"] += 1
        else:
            tested.append(found)
    return _held(tested, accepted, untested, q)


def _test(
    one: Standing,
    evidence: Callable[[str], Evidence | None],
    others: Mapping[Question, Estimate],
    test: CoinTest,
) -> _Tested | str:
    """The test of one label, or why there is none."""
    if one.value is None or one.question is None:
        return NOT_MEASURED
    if one.evidence is None:
        return NOT_NAMED
    stored = evidence(one.evidence)
    if stored is None:
        return NOT_STORED
    read = answered_windows(stored.payload)
    if read is None:
        return OTHER_LAYOUT
    reached, reached_by = _to_beat(one, others.get(one.question))
    found = detection_shares(read.documents, read.fires, read.said)
    if found is None:
        return ONE_KIND
    p = after_looks(test.p_value(found, reached), looks(stored) if one.stopped else 1)
    return _Tested(one, p, reached, reached_by, found.documents)


def _to_beat(one: Standing, others: Estimate | None) -> tuple[float, str]:
    """The largest of the three, and whose it is."""
    mean = others.interval.high if others is not None and others.interval is not None else 0.5
    if others is not None and mean > one.reached:
        return mean, f"other labels on average, n = {others.n} features"
    if one.reached <= 0.5:
        return 0.5, "a coin"
    n = "" if one.shuffled_n is None else f", n = {one.shuffled_n[0]} + {one.shuffled_n[1]}"
    return one.reached, f"other labels here{n}"


def looks(stored: Evidence) -> int:
    """At how many looks reading might have ended, by the sizes that it was asked with."""
    try:
        sizes = _Sizes.model_validate(stored.recipe.get("sizes"))
    except ValidationError:
        return MOST_LOOKS
    most = max(sizes.max_firing, sizes.max_random, sizes.max_hard)
    return 1 + max(0, math.ceil((most - sizes.first) / sizes.step))


class _Sizes(BaseModel):
    """What of a reader's settings says how often it looks; other settings are not looked at."""

    first: int = Field(ge=1)
    step: int = Field(ge=1)
    max_firing: int
    max_random: int
    max_hard: int


def _held(tested: list[_Tested], accepted: int, untested: Counter[str], q: float) -> FalseDiscovery:
    chosen = [t for t in tested if t.standing.accepted]
    adjusted = adjusted_p(np.array([t.p for t in chosen], dtype=np.float64), len(tested))
    rows = sorted(zip(chosen, adjusted.tolist(), strict=True), key=lambda r: (r[0].p, r[0].standing.feature))
    holding = [(t, a) for t, a in rows if a <= q]
    falling = [(t, a) for t, a in rows if a > q]
    return FalseDiscovery(
        q=q,
        tested=len(tested),
        accepted=accepted,
        accepted_tested=len(chosen),
        holding=tuple(sorted(t.standing.feature for t, _ in holding)),
        expected_false=q * len(holding),
        threshold=max((t.p for t, _ in holding), default=None),
        weakest=tuple(_row(t, a) for t, a in holding[::-1][:SHOWN]),
        falling=tuple(_row(t, a) for t, a in falling[:SHOWN]),
        fallen=len(falling),
        untested=reasons(untested),
    )


def _row(tested: _Tested, adjusted: float) -> LabelTest:
    return LabelTest(
        feature=tested.standing.feature,
        label=tested.standing.label,
        p=tested.p,
        adjusted=adjusted,
        value=tested.standing.value or 0.0,
        interval=tested.standing.interval,
        reached=tested.reached,
        reached_by=tested.reached_by,
        documents=tested.documents,
    )
