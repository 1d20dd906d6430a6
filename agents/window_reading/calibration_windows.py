"""The windows on which prompt sizes are tried: of `validate`, half firing, under a feature's label."""

from __future__ import annotations

import numpy as np

from glossator.agents.scorers.examples import seed_of
from glossator.agents.window_reading.calibration import ClaimedWindows
from glossator.probes.split_view import ValidateView
from glossator.probes.windows import firing_windows, join_windows, silent_windows, window_texts
from glossator.records import Explanation

WINDOWS_EACH = 10
"""Firing windows per feature, and as many silent ones."""


def claimed_windows(view: ValidateView, explanation: Explanation, threshold: float) -> ClaimedWindows | None:
    """Windows of one feature in random order; None where it does not fire above `threshold` (absolute)."""
    feature, seed = explanation.feature, seed_of(explanation.feature, "windows per prompt")
    firing = firing_windows(view, feature.index, threshold=threshold, n=WINDOWS_EACH, seed=seed)
    silent = silent_windows(view, feature.index, len(firing), seed)
    if not len(firing) or not len(silent):
        return None
    joined = join_windows([firing, silent], wanted=2 * WINDOWS_EACH)
    order = np.random.default_rng(seed).permutation(len(joined))
    texts = window_texts(view, joined.take(order))
    return ClaimedWindows(explanation.text, tuple(texts), (np.arange(len(joined)) < len(firing))[order])
