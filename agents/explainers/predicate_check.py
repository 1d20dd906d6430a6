"""Whether a predicate that a model wrote can be run and says anything true of the feature.

The verdict reads a card's predicate where there is one, so a careless predicate would sink a good label:
it is dropped before, on `validate`, and the label stays.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from glossator.agents.embedded_analyst.rule_choice import window_sample
from glossator.errors import UserError
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.split_view import ValidateView
from glossator.probes.windows import WindowBatch
from glossator.records import Predicate, parse_predicate

INVALID = "invalid predicate"
AT_CHANCE = "predicate hardly better than chance"
LEAST_BALANCED_ACCURACY = 0.6
"""Over up to 200 firing and 200 silent windows of `validate`, under which a predicate is dropped."""


def read_predicate(text: str, validate: ValidateView, feature: int, maximum: float) -> Predicate | str | None:
    """The predicate that `text` holds; None for none, or the reason why it is dropped."""
    if text.strip().casefold() in ("", "null", "none", '""', "{}"):
        return None
    try:
        predicate = parse_predicate(text.strip())
        held = evaluate(predicate, validate.text) & validate.text.eligible
    except (UserError, RecursionError):
        return INVALID
    sample = window_sample(validate, feature, maximum)
    if not len(sample.firing) or not len(sample.silent):
        return predicate
    accuracy = (_share_held(held, sample.firing) + 1 - _share_held(held, sample.silent)) / 2
    return predicate if accuracy >= LEAST_BALANCED_ACCURACY else AT_CHANCE


def _share_held(held: Bool[np.ndarray, " tokens"], windows: WindowBatch) -> float:
    total = np.concatenate([[0], np.cumsum(held)])
    return float((total[windows.stop] > total[windows.start]).mean())
