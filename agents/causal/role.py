"""Which side of the model a feature speaks of, by a written rule.

Input side: its firing is predicted from the input. Detection (balanced accuracy against random windows) by
the reader that decides the verdict is at least `INPUT_VALUE`, which is also what an accepted label needs
(`agents/verdict.py`), and its interval lies above `INPUT_LOW`: a value reached by luck on few windows
does not do. Where the predicate decides, its F1 over all tokens must be that of an accepted label too:
detection forgives a rule that holds on ten times as many tokens as the feature fires on.

Output side: what it causes is strong and specific. At the KL level nearest 1 (strong enough to show, weak
enough to stay fluent) its intervention score is beyond that of random directions of the same norm, each
explained in the same way (the interval of the excess lies above 0); and the interval lies above the same
explanation under random directions (or the tokens would rise whatever is added) and above other features'
explanations (or any explanation would do). There must be tokens that rise at all.

Both sides are decided separately; a side that was not measured does not count, and the reason says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from glossator.agents.firing_facts import STRONG
from glossator.agents.verdict import ACCEPT_DETECTION, ACCEPT_F1
from glossator.records import (
    BaselineName,
    EffectFindings,
    FeatureRole,
    InterventionScore,
    Metric,
    Negatives,
    RoleFinding,
    Score,
    ScoreMethod,
)

INPUT_VALUE = ACCEPT_DETECTION
"""Least detection accuracy of an input-side feature."""
INPUT_LOW = 0.6
"""What the interval of detection must lie above: clearly more than the 0.5 of a coin, so that broad labels
of features that fire on half of everything do not make an input side."""
OUTPUT_KL = 1.0
"""Nats of next-token KL at which the output side is judged."""
_READERS = ("predicate", "embedder")


class _Side(NamedTuple):
    holds: bool
    value: float | None
    words: str


def feature_role(
    scores: Sequence[Score],
    intervention_scores: Sequence[InterventionScore] = (),
    effects: EffectFindings | None = None,
    *,
    reader: str | None = None,
) -> RoleFinding:
    """The feature's role.

    Args:
        scores: the scores of its input-side label; none where no label could be tested.
        intervention_scores: of the explanation of its effect, by KL level; none where nothing was explained.
        effects: what turning it up does; None where that was not measured.
        reader: who decides the verdict; if None, the predicate where it could read, else the embedder.
    """
    fires, causes = _input_side(scores, reader), _output_side(intervention_scores, effects)
    role = {
        (True, True): FeatureRole.BOTH,
        (True, False): FeatureRole.INPUT,
        (False, True): FeatureRole.OUTPUT,
        (False, False): FeatureRole.NEITHER,
    }[fires.holds, causes.holds]
    return RoleFinding(
        role=role,
        input_value=fires.value,
        output_value=causes.value,
        reason=f"{role}: {fires.words}; {causes.words}",
    )


def _input_side(scores: Sequence[Score], reader: str | None) -> _Side:
    read = [s for r in ([reader] if reader else _READERS) for s in scores if _decides(s, r)]
    score = next((s for s in read if s.value is not None), next(iter(read), None))
    if score is None or score.value is None or score.interval is None:
        reasons = "" if score is None or not score.unscored else f" ({'; '.join(score.unscored)})"
        return _Side(False, None, f"firing could not be predicted from the input by any label{reasons}")
    f1 = next((s.value for s in scores if s.reader == score.reader and _is_f1(s)), None)
    sure = score.value >= INPUT_VALUE and score.interval.low >= INPUT_LOW
    holds = sure and (f1 is None or f1 >= ACCEPT_F1)
    words = (
        f"its label predicts firing {'well' if holds else 'poorly'}: detection by the {score.reader} "
        f"{score.value:.2f} ({score.interval.low:.2f} to {score.interval.high:.2f}), where {INPUT_VALUE:.2f} "
        f"with an interval from {INPUT_LOW:.2f} is needed"
    )
    if f1 is not None:
        words += f", F1 {f1:.2f}, where {ACCEPT_F1:.2f} is needed"
    return _Side(holds, score.value, words)


def _is_f1(score: Score) -> bool:
    wanted = (ScoreMethod.PREDICATE, Metric.F1, STRONG)
    return (score.method, score.metric, score.threshold) == wanted


def _decides(score: Score, reader: str) -> bool:
    wanted = (ScoreMethod.DETECTION, Metric.BALANCED_ACCURACY, Negatives.RANDOM, STRONG, reader)
    return (score.method, score.metric, score.negatives, score.threshold, score.reader) == wanted


def _output_side(scores: Sequence[InterventionScore], effects: EffectFindings | None) -> _Side:
    if effects is None:
        return _Side(False, None, "what it causes was not measured")
    if not effects.concept:
        return _Side(False, None, "no token rises in most prompts when it is turned up")
    measured = [s for s in scores if s.excess is not None and s.kl > 0]
    if not measured:
        return _Side(False, None, "no explanation of its effect could be scored")
    at = min(measured, key=lambda s: abs(math.log(s.kl / OUTPUT_KL)))
    missing, excess, interval = _not_specific(at), at.excess, at.excess_interval
    if excess is None or interval is None:
        return _Side(False, None, "no explanation of its effect could be scored")
    beyond = interval.low > 0
    numbers = f"at KL {at.kl:.2g} {excess:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"
    if beyond and not missing:
        return _Side(True, excess, f"its effect is specific: {numbers} beyond random directions")
    if not beyond:
        missing = [f"{numbers}, not beyond random directions", *missing]
    else:
        missing = [f"{numbers} beyond random directions", *missing]
    return _Side(False, excess, f"its effect is not specific: {', but '.join(missing)}")


def _not_specific(at: InterventionScore) -> list[str]:
    """What the score does not lie above, in words."""
    named = {b.name: b.value for b in at.score.baselines}
    low = None if at.score.interval is None else at.score.interval.low
    if low is None:
        return ["continuations could not be read"]
    out: list[str] = []
    for name, words in (
        (BaselineName.RANDOM_DIRECTION, "the same explanation under random directions"),
        (BaselineName.SHUFFLED, "explanations of other features"),
    ):
        value = named.get(name)
        # Without other features there is nothing to shuffle; without random directions nothing is known.
        if value is None and name is BaselineName.RANDOM_DIRECTION:
            out.append(f"{words} were not measured")
        elif value is not None and low <= value:
            out.append(f"its score (from {low:.2f}) is not above {words} ({value:.2f})")
    return out
