"""Texts that could show a guess wrong: what is expected of each is said before the subject reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from glossator.agents.firing_facts import STRONG
from glossator.agents.tools.measuring import of_feature, require_count, require_feature, require_text, tool_of
from glossator.agents.tools.tool import AnyTool, Fact, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ToolError
from glossator.probes.text_activations import TextProfile
from glossator.prompts.fence import neutral
from glossator.records import (
    EvidenceKind,
    Expectation,
    Experiment,
    ExperimentKind,
    Outcome,
    Record,
    TriedText,
    content_id,
)

NAME = "test_texts"
MOST = 20


class TestTexts(Record):
    """What `test_texts` is given."""

    __test__ = False  # pytest

    feature: int
    """The feature's number."""
    texts: list[str]
    """Texts to run, at most 20: some that should fire the feature, and near misses that should not."""
    expectations: list[Literal["fires", "silent"]]
    """What is expected of each text, in the same order: said before it is known."""
    why: str
    """The guess that these expectations follow from, in one sentence."""


def experiment_tools(bench: Workbench) -> list[AnyTool]:
    """The tool of this module over one bench."""
    return [
        tool_of(
            NAME,
            "Runs texts through the subject and says for each whether one feature fired, against what was "
            "expected. Use it to try to break a guess: name the expectation of every text beforehand.",
            TestTexts,
            lambda given: test_texts(bench, given),
        )
    ]


def test_texts(bench: Workbench, given: TestTexts) -> ToolResult:
    """Run texts and judge them.

    Raises:
        ToolError: no such feature, a dead one, not one expectation per text, or unfit texts.

    """
    feature = require_feature(bench, given.feature)
    require_count(given.texts, "texts", MOST)
    if len(given.expectations) != len(given.texts):
        raise ToolError(
            f"{len(given.expectations)} expectations for {len(given.texts)} texts: say for each text, in "
            "order, whether you expect `fires` or `silent`"
        )
    require_text(given.why, "reason `why`")
    for text in given.texts:
        require_text(text)
    guess = content_id("h", [str(bench.ref(feature)), "planner", given.why])
    experiment = run_texts(
        bench,
        feature,
        given.texts,
        [Expectation(e) for e in given.expectations],
        hypothesis=guess,
        why=given.why,
    )
    payload = experiment.model_dump(mode="json")
    evidence = of_feature(bench, feature, EvidenceKind.EXPERIMENT, NAME, given, payload)
    summary = (
        f"feature {feature}: {experiment.right} of {len(experiment.tested)} texts did what was expected, "
        f"{experiment.decided - experiment.right} did the opposite, "
        f"{len(experiment.tested) - experiment.decided} fired weakly and decide nothing"
    )
    told = (summary, *(_words(tried) for tried in experiment.tested))
    return ToolResult(tuple(Fact(words, evidence.id, (feature,)) for words in told), (evidence,))


test_texts.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]


def run_texts(
    bench: Workbench,
    feature: int,
    texts: Sequence[str],
    expectations: Sequence[Expectation],
    *,
    hypothesis: str,
    why: str = "",
    kind: ExperimentKind = ExperimentKind.TEXTS,
) -> Experiment:
    """Texts with what they did, judged against the feature's own firings on `explore`.

    Raises:
        ToolError: the feature never fires there, so that nothing can be judged.

    """
    strength = np.sort(bench.index.explore.firings(feature).activation)
    if not len(strength):
        raise ToolError(f"feature {feature} never fires on explore: there is nothing to judge texts by")
    threshold = STRONG * float(strength[-1])
    profiles = bench.activations().profiles(feature, texts)
    tried = tuple(
        _tried(text, expected, profile, why, threshold, strength)
        for text, expected, profile in zip(texts, expectations, profiles, strict=True)
    )
    return Experiment(hypothesis=hypothesis, kind=kind, tested=tried, threshold=threshold)


def _tried(
    text: str, expected: Expectation, profile: TextProfile, why: str, threshold: float, strength: np.ndarray
) -> TriedText:
    largest = profile.activation
    outcome = Outcome.SILENT if largest <= 0 else Outcome.FIRES if largest > threshold else Outcome.WEAK
    return TriedText(
        text=text,
        expected=expected,
        why=why,
        activation=round(largest, 4),
        quantile=round(float(np.searchsorted(strength, largest)) / len(strength), 4),
        outcome=outcome,
        token="" if profile.peak is None else profile.tokens[profile.peak],
    )


def _words(tried: TriedText) -> str:
    where = f', most on "{neutral(tried.token)}" (quantile {tried.quantile:.2f})' if tried.token else ""
    right = tried.outcome.value == tried.expected.value
    verdict = (
        "as expected" if right else "decides nothing" if tried.outcome is Outcome.WEAK else "NOT as expected"
    )
    return (
        f"expected {tried.expected.value}, was {tried.outcome.value} at {tried.activation:.3g}{where}: "
        f'{verdict}: "{neutral(tried.text)}"'
    )
