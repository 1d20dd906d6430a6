"""The forms in which a model proposes, and what is kept of what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel

from glossator.agents.explainers.label_validation import clean_label, unfit_label
from glossator.agents.investigator.proposer import Proposal, TestBatch, TextTest
from glossator.errors import UserError
from glossator.prompts.rendered_prompt import RenderedPrompt
from glossator.records import Expectation, ExperimentKind, Hypothesis, Predicate, parse_predicate

_LONGEST_WHY = 120
_NO_PREDICATE = ("", "null", "none", '""', "{}")


class ClaimAnswer(BaseModel):
    """One hypothesis."""

    label: str
    predicate: str = ""


class HypothesesAnswer(BaseModel):
    """What is answered to `investigate_hypotheses` and `investigate_refine`."""

    hypotheses: list[ClaimAnswer]


class TestAnswer(BaseModel):
    """One text with its prediction: there is none without."""

    hypothesis: int
    text: str
    fires: bool
    why: str = ""

    __test__ = False  # pytest


class TestsAnswer(BaseModel):
    """What is answered to `investigate_tests`."""

    tests: list[TestAnswer]

    __test__ = False  # pytest


class PairAnswer(BaseModel):
    """Two texts that differ in one thing."""

    fires: str
    silent: str
    why: str = ""


class EdgeAnswer(BaseModel):
    """One text at the edge of a claim."""

    text: str
    fires: bool
    why: str = ""


class ChallengeAnswer(BaseModel):
    """What is answered to `investigate_challenge`."""

    pairs: list[PairAnswer] = []
    edges: list[EdgeAnswer] = []


class Kept(NamedTuple):
    """What an answer came to."""

    proposals: tuple[Proposal, ...]
    dropped: dict[str, int]
    """Reason to count."""


def proposals(answer: HypothesesAnswer, prompt: RenderedPrompt, k: int) -> Kept:
    """Claims that are labels at all; a predicate that cannot be read leaves its claim standing."""
    dropped: Counter[str] = Counter()
    kept: list[Proposal] = []
    for one in answer.hypotheses[:k]:
        text = clean_label(one.label)
        if (reason := unfit_label(text, prompt=prompt)) is not None:
            dropped[reason] += 1
            continue
        predicate = _predicate(one.predicate)
        if isinstance(predicate, str):
            dropped[predicate] += 1
            predicate = None
        kept.append(Proposal(text, predicate))
    return Kept(tuple(kept), dict(dropped))


def _predicate(text: str) -> Predicate | str | None:
    """The predicate; None for none, a reason where it is no predicate."""
    if text.strip().casefold() in _NO_PREDICATE:
        return None
    try:
        return parse_predicate(text.strip())
    except (UserError, RecursionError):
        return "invalid predicate"


def batches_of(answer: TestsAnswer, hypotheses: Sequence[Hypothesis], n: int) -> list[TestBatch]:
    """One batch for each hypothesis that is tested; numbers that name none are left out."""
    by_number: dict[int, list[TextTest]] = {}
    for one in answer.tests[:n]:
        by_number.setdefault(one.hypothesis, []).append(_test(one.text, one.fires, one.why))
    return [
        TestBatch(hypotheses[number - 1].id, ExperimentKind.TEXTS, tuple(tests))
        for number, tests in sorted(by_number.items())
        if 1 <= number <= len(hypotheses)
    ]


def challenge_batches(answer: ChallengeAnswer, leader: Hypothesis, n: int) -> list[TestBatch]:
    """Minimal pairs and boundary cases of the leader."""
    pairs: list[TextTest] = []
    for number, one in enumerate(answer.pairs[: n // 2]):
        pairs.append(_test(one.fires, True, one.why, number))
        pairs.append(_test(one.silent, False, one.why, number))
    edges = [_test(one.text, one.fires, one.why) for one in answer.edges[: max(0, n - len(pairs))]]
    batches = ((ExperimentKind.MINIMAL_PAIRS, pairs), (ExperimentKind.BOUNDARY, edges))
    return [TestBatch(leader.id, kind, tuple(tests)) for kind, tests in batches if tests]


def _test(text: str, fires: bool, why: str, pair: int = -1) -> TextTest:
    expected = Expectation.FIRES if fires else Expectation.SILENT
    return TextTest(text, expected, why[:_LONGEST_WHY], pair)
