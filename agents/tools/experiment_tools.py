"""Texts that could show a guess wrong: what is expected of each is said before the subject reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from glossator.agents.investigator.corpus_fit import CorpusFit
from glossator.agents.investigator.experiments import run_experiments
from glossator.agents.investigator.proposer import TestBatch, TextTest
from glossator.agents.investigator.tested_tokens import TestedTexts
from glossator.agents.tools.measuring import of_feature, require_count, require_feature, require_text, tool_of
from glossator.agents.tools.tool import AnyTool, Fact, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ToolError
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
    experiment = run_texts(bench, feature, given.texts, given.expectations, guess, given.why)
    payload = experiment.model_dump(mode="json")
    evidence = of_feature(bench, feature, EvidenceKind.EXPERIMENT, NAME, given, payload)
    summary = (
        f"feature {feature}: {experiment.right} of {len(experiment.tested)} texts did what was expected, "
        f"{experiment.decided - experiment.right} did the opposite, "
        f"{len(experiment.tested) - experiment.decided} fired weakly and decide nothing"
    )
    told = (summary, *(_words(tried) for tried in experiment.tested))
    return ToolResult(tuple(Fact(words, evidence.id, (feature,)) for words in told), (evidence,))


def run_texts(
    bench: Workbench,
    feature: int,
    texts: Sequence[str],
    expectations: Sequence[str],
    guess: str,
    why: str,
) -> Experiment:
    """Texts with what they did, judged as an investigation judges them.

    Raises:
        ToolError: the feature never fires on `explore`, so that nothing can be judged.

    """
    view = bench.index.explore
    corpus = CorpusFit(view, feature)
    if not corpus.maximum:
        raise ToolError(f"feature {feature} never fires on explore: there is nothing to judge texts by")
    pairs = zip(texts, expectations, strict=True)
    tests = tuple(TextTest(text, Expectation(expected), why) for text, expected in pairs)
    batch = TestBatch(guess, ExperimentKind.TEXTS, tests)
    tested = TestedTexts(bench.activations(), feature, view.text)
    (ran,) = run_experiments([batch], bench.ref(feature), tested, corpus, bench.index.identity)
    return ran.experiment


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
