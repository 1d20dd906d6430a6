"""Rivals of a feature's direction: asking in words, and the difference of means.

Steering with a feature is worth its trouble only beside what is simpler. Prompting beats steering in
most published comparisons (AxBench, https://arxiv.org/abs/2501.17148), and the difference of means is
the direction that anyone can compute from the same firing tokens. Both inform: they bound nothing, as
a feature may do what is claimed of it though something else does it better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.concept import Concept
from glossator.agents.causal.next_token_changes import log_odds_change
from glossator.agents.causal.prompt_intervals import mean_interval
from glossator.agents.causal.random_effects import explained_target, steering_vector
from glossator.agents.scorers.interventions.continued_rows import Continuing
from glossator.agents.scorers.interventions.grid_rows import CleanFamily, moved
from glossator.probes.interventions.runs import Prompt
from glossator.probes.interventions.steering_prompts import FEWEST
from glossator.probes.interventions.strength_search import next_token_kl
from glossator.probes.split_view import ExploreView
from glossator.probes.subject import Subject
from glossator.probes.windows import WindowBatch, firing_windows, silent_windows
from glossator.records import KlPoint, SiteRef, StrengthCalibration, StressCheck

PROMPTING = "prompting"
MEANS = "difference of means"
_INSTRUCTION = "The following text is about this: {}.\n\n"
_TOKENS_PER_SIDE = 64


@dataclass(frozen=True)
class Rivalry:
    """What comparisons of one feature share."""

    bench: CausalBench
    feature: int
    concept: Concept
    up: StrengthCalibration
    prompts: CleanFamily
    """Sealed prompts of all families."""
    seed: int

    @property
    def multiple(self) -> float:
        """The strength at which the feature was explained, or the nearest to it."""
        return explained_target(self.up, self.bench.settings.explained_at).multiple

    def changes(self, vectors: Float[torch.Tensor, "vectors d"]) -> Float[np.ndarray, "vectors prompts"]:
        """Change of the concept's log-odds under vectors at the dictionary's output site."""
        site = self.bench.dictionary.output_site
        concepts = [self.concept.ids] * len(vectors)
        return moved(self.bench.runs, self.prompts, site, vectors, concepts).change


class _Side(NamedTuple):
    """One of two that are compared."""

    name: str
    change: Float[np.ndarray, " prompts"]
    """Of the concept's log-odds, in nats."""


def prompting_check(rivalry: Rivalry, explanation: str) -> StressCheck:
    """Steering minus asking in words for the same, at the next-token KL that asking has.

    The explanation is put before each prompt as a sentence. Value: difference of the two changes of the
    concept's log-odds, in nats, mean over prompts.
    """
    runs, prompts = rivalry.bench.runs, rivalry.prompts
    asking = instructed(runs.subject, prompts.prompts, explanation)
    longest = max(map(len, asking)) + rivalry.bench.settings.continuation
    if longest > runs.subject.context_length:
        return _not_made(PROMPTING, f"an instruction makes {longest} tokens, beyond the subject's context")
    asked = runs.next_log_probs(asking)
    by_asking = log_odds_change(prompts.log_probs, asked, rivalry.concept.ids).numpy()
    kl = float(next_token_kl(prompts.log_probs, asked).mean())
    multiple = multiple_at(rivalry.up.curve, kl)
    if multiple is None or not np.isfinite(by_asking).all():
        return _not_made(PROMPTING, f"no strength was measured near the KL of {kl:.3g} that asking has")
    vector = steering_vector(rivalry.bench, rivalry.feature, multiple)
    by_steering = rivalry.changes(vector[None])[0]
    carried = _carried(rivalry, asking, vector)
    what = f"with {explanation!r} asked for before the prompt (KL {kl:.3g}); continuations with it: {carried}"
    return _compared(
        rivalry, PROMPTING, _Side("steering", by_steering), _Side("asking in words", by_asking), what
    )


def mean_difference_check(rivalry: Rivalry) -> StressCheck:
    """The feature's direction minus the difference of means, both of the norm at which it was explained.

    The mean of what stands at the output site where the feature fires, minus that where it is silent, on
    `explore`. Value: difference of the two changes of the concept's log-odds, in nats, mean over prompts.
    """
    bench = rivalry.bench
    difference = mean_difference(
        bench.runs.subject, bench.dictionary.output_site, bench.room.explore, rivalry.feature, rivalry.seed
    )
    if difference is None or not float(difference.norm()) > 0:
        return _not_made(MEANS, "no firing or no silent tokens on explore")
    vector = steering_vector(bench, rivalry.feature, rivalry.multiple)
    rival = difference / difference.norm() * vector.norm() * math.copysign(1.0, rivalry.multiple)
    own, other = rivalry.changes(torch.stack([vector, rival]))
    cosine = float(torch.cosine_similarity(vector, rival, dim=0))
    what = f"with the difference of means, of the same norm (cosine {cosine:.2f})"
    return _compared(rivalry, MEANS, _Side("the feature", own), _Side("the difference of means", other), what)


def mean_difference(
    subject: Subject, site: SiteRef, explore: ExploreView, feature: int, seed: int
) -> Float[torch.Tensor, " d"] | None:
    """Mean at `site` where the feature fires minus that where it is silent; None without either."""
    sides = (
        firing_windows(explore, feature, threshold=0.0, n=_TOKENS_PER_SIDE, seed=seed),
        silent_windows(explore, feature, _TOKENS_PER_SIDE, seed),
    )
    if not all(len(side) for side in sides):
        return None
    firing, silent = (_mean_at_centres(subject, site, explore, side) for side in sides)
    return firing - silent


def instructed(subject: Subject, prompts: Sequence[Prompt], explanation: str) -> tuple[Prompt, ...]:
    """Each prompt after a sentence that asks for what is explained; the row prefix stays first."""
    prefix = subject.row_prefix
    asking = subject.tokenize([_INSTRUCTION.format(explanation.rstrip(". "))])[0]
    return tuple((*prefix, *asking, *prompt[len(prefix) :]) for prompt in prompts)


def multiple_at(curve: Sequence[KlPoint], kl: float) -> float | None:
    """The smallest strength at which a measured curve has this KL, by interpolation; beyond its ends, the
    nearest strength. None for an empty curve."""
    points = sorted(((abs(p.multiple), p.kl) for p in curve if p.kl is not None), key=lambda point: point[0])
    if not points:
        return None
    last, before = 0.0, 0.0
    for multiple, here in points:
        if here >= kl:
            step = (kl - before) / (here - before) if here > before else 1.0
            return last + step * (multiple - last)
        last, before = multiple, here
    return max(points, key=lambda point: point[1])[0]


def _mean_at_centres(
    subject: Subject, site: SiteRef, explore: ExploreView, windows: WindowBatch
) -> Float[torch.Tensor, " d"]:
    """Mean over windows of what stands at their centre, read after all that comes before it in the window."""
    prefix = subject.row_prefix
    rows = [
        [*prefix, *(int(i) for i in explore.text.ids[start : centre + 1])]
        for start, centre in zip(windows.start.tolist(), windows.centre.tolist(), strict=True)
    ]
    width = max(map(len, rows))
    ids = torch.tensor([row + [row[-1]] * (width - len(row)) for row in rows])
    last = torch.tensor([len(row) - 1 for row in rows])
    mask = (torch.arange(width) <= last[:, None]).long()
    there = subject.activations(site, ids, mask)
    return there[torch.arange(len(rows)), last].float().mean(dim=0).cpu()


def _carried(rivalry: Rivalry, asking: Sequence[Prompt], vector: Float[torch.Tensor, " d"]) -> str:
    """Shares of continuations with a token of the concept: asked, steered, clean."""
    bench = rivalry.bench
    continuing = Continuing(bench.runs, rivalry.concept.ids, bench.settings.continuation, rivalry.seed)
    prompts = rivalry.prompts.prompts
    steered = continuing.steered(prompts, bench.dictionary.output_site, vector[None])[0]
    shares = (
        ("asked", continuing.clean(asking)),
        ("steered", steered),
        ("neither", continuing.clean(prompts)),
    )
    return ", ".join(f"{name} {'-' if said is None else f'{said.carrying:.0%}'}" for name, said in shares)


def _compared(rivalry: Rivalry, name: str, ours: _Side, rival: _Side, what: str) -> StressCheck:
    """Who moves the concept more; passes unless the rival clearly does."""
    kept = np.isfinite(ours.change) & np.isfinite(rival.change)
    if kept.sum() < FEWEST:
        return _not_made(name, f"the subject gave finite numbers for fewer than {FEWEST} prompts")
    own, other = ours.change[kept], rival.change[kept]
    documents = [d for d, keep in zip(rivalry.prompts.documents, kept, strict=True) if keep]
    interval, value = mean_interval(own - other, documents, seed=rivalry.seed), float((own - other).mean())
    if interval.low > 0:
        verdict = f"{ours.name} moves the concept more than {rival.name}"
    elif interval.high < 0:
        verdict = f"{rival.name} moves the concept more than {ours.name}"
    else:
        verdict = f"no clear difference between {ours.name} and {rival.name}"
    words = (
        f"{verdict}: log-odds change {own.mean():+.2f} against {other.mean():+.2f} nats, difference "
        f"{value:+.2f} (95 % interval {interval.low:+.2f} to {interval.high:+.2f}); {what}"
    )
    return StressCheck(
        name=name,
        passed=interval.high >= 0,
        value=value,
        interval=interval,
        bound=None,
        n=len(own),
        words=words,
    )


def _not_made(name: str, why: str) -> StressCheck:
    return StressCheck(name=name, passed=None, value=None, interval=None, bound=None, words=why)
