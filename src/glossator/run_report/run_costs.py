"""What a run cost: in all, by feature, and by how labels came about."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from glossator.probes.feature_estimates import mean_estimate
from glossator.records import (
    Estimate,
    ExplanationMethod,
    ItemState,
    LlmSpending,
    MethodCost,
    RunCost,
    RunItem,
    RunSpending,
)
from glossator.report.wording import EXPLANATION_METHOD_WORDS
from glossator.run_report.standings import Standing

NO_LABEL = "no label"


def run_cost(
    items: Sequence[RunItem], standings: Mapping[int, Standing], spending: RunSpending, *, seed: int
) -> RunCost:
    """The bill of the features that this run did; those with an earlier card cost it nothing."""
    done = [i for i in items if i.state is ItemState.DONE]
    accepted = sum(s.accepted for i in done if (s := standings.get(i.feature.index)) is not None)
    spent = [i.spending for i in done if i.spending is not None]
    seconds = np.array([i.seconds for i in done if i.seconds is not None], dtype=np.float64)
    known = spending.usd is not None and accepted > 0
    return RunCost(
        spending=spending,
        accepted=accepted,
        ended=len(done),
        usd_per_accepted=(spending.usd or 0.0) / accepted if known else None,
        usd_per_feature=_usd(spent, seed),
        calls_per_feature=_mean([float(s.calls) for s in spent], seed),
        tokens_per_feature=_mean([float(s.input_tokens + s.output_tokens) for s in spent], seed),
        seconds_per_feature=mean_estimate(seconds, seed=seed),
        by_method=_by_method(done, standings, seed),
    )


def unanswered(items: Sequence[RunItem]) -> Counter[str]:
    """Calls of this run without a usable answer, by reason; those of failed features are among them."""
    return sum((Counter(i.spending.unscored) for i in items if i.spending is not None), Counter[str]())


def _by_method(
    done: Sequence[RunItem], standings: Mapping[int, Standing], seed: int
) -> tuple[MethodCost, ...]:
    groups: dict[str, list[LlmSpending]] = defaultdict(list)
    for item in done:
        one = standings.get(item.feature.index)
        if item.spending is not None and one is not None:
            groups[one.method].append(item.spending)
    return tuple(
        MethodCost(
            method=EXPLANATION_METHOD_WORDS[ExplanationMethod(method)] if method else NO_LABEL,
            features=len(spent),
            calls=_mean([float(s.calls) for s in spent], seed),
            tokens=_mean([float(s.input_tokens + s.output_tokens) for s in spent], seed),
            usd=_usd(spent, seed),
        )
        for method, spent in sorted(groups.items())
    )


def _usd(spent: Sequence[LlmSpending], seed: int) -> Estimate:
    """Unknown as soon as one is: a mean without the unknown ones would be another feature's price."""
    known = [s.usd for s in spent if s.usd is not None]
    return _mean(known, seed) if len(known) == len(spent) else Estimate(n=len(spent))


def _mean(values: Sequence[float], seed: int) -> Estimate:
    return mean_estimate(np.array(values, dtype=np.float64), seed=seed)
