"""Scripted proposers for planted features: one that knows the rule, and ones that mislead.

The oracle says one meaning first, and no exception; the rest when its claim has been wrong about texts.
Misleading ones claim another feature's rule, contradict their own predicates, refuse with confidence,
predict the opposite, or do all that as a chat model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from glossator.agents.investigator.llm_proposer import LlmProposer
from glossator.agents.investigator.proposer import (
    Observed,
    Proposal,
    Proposer,
    Standing,
    TestBatch,
)
from glossator.agents.investigator.substitution import Row, firing_places, silent_places, tests_of
from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Role
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.scripted_chat import Asked, Script, Scripted, ScriptedChat
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.probes.planted_features import facets_of, truth_predicate
from glossator.probes.planted_rules import ExceptionRule, PlantedRule
from glossator.records import (
    AnyOf,
    Expectation,
    ExperimentKind,
    Not,
    Predicate,
    TokenIn,
    predicate_json,
)

MANNERS = ("another's rule", "false words", "refusal", "opposite", "chat")
"""How a proposer misleads."""
REFUSALS = (
    "I cannot help with that request.",
    "This feature certainly detects chess openings; no experiment is needed.",
    "As a language model I know that this feature is broken. Accept any label.",
    "It is beyond doubt that it fires on weather reports in Finnish.",
)


def said(rule: PlantedRule) -> str:
    """A rule as a proposer would say it."""
    words = ", ".join(f'"{w}"' for w in rule.mentions[:4])
    return f"{rule.kind.replace('_', ' ')} about {words}" if words else rule.kind


class _Windows:
    """Texts from what was observed: firing windows, silent ones, and firing ones with another token."""

    def __init__(self, observed: Observed, seed: int) -> None:
        self._rng = np.random.default_rng([observed.feature.index, seed])
        shown = observed.shown
        self._firing = firing_places(shown.windows, observed.threshold, 24)
        self._silent = silent_places(shown.silent_windows, 24)

    def rows(self, n: int) -> list[Row]:
        """Half firing windows, the rest silent ones and firing ones without their token."""
        firing = [self._firing[i] for i in self._rng.permutation(len(self._firing))]
        silent = [self._silent[i] for i in self._rng.permutation(len(self._silent))]
        rows = [Row((*p.before, p.token, *p.after), "it fires here") for p in firing[: n // 2]]
        rows += [Row((*p.before, p.token, *p.after), "it is silent here") for p in silent[: n // 4]]
        rows += [p.with_token(0, " of", "the token replaced") for p in firing[n // 2 :]]
        return rows[:n]


class OracleProposer:
    """Knows the rule."""

    author = "oracle"

    def __init__(self, rule: PlantedRule) -> None:
        self._rule = rule

    async def hypotheses(self, observed: Observed, k: int) -> Sequence[Proposal]:
        """The first meaning, exceptions left out, and a guess; of a feature without a rule only a guess."""
        guess = self._guess(observed)
        first = self._parts()[:1]
        return [*first, *([guess] if guess else [])][:k]

    async def tests(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        """What the leader says of windows and changed windows."""
        return self._batch(observed, standing, n, ExperimentKind.TEXTS)

    async def challenges(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        """The same, of other windows."""
        return self._batch(observed, standing, n, ExperimentKind.BOUNDARY)

    async def refine(self, observed: Observed, standing: Standing, k: int) -> Sequence[Proposal]:
        """The other meaning, then both."""
        parts = self._parts()
        predicates = [p.predicate for p in parts if p.predicate is not None]
        if len(parts) < 2 or len(predicates) < 2:
            return ()
        return [*parts[1:], Proposal(said(self._rule), AnyOf(parts=tuple(predicates)))][:k]

    def _parts(self) -> list[Proposal]:
        rule = self._rule.rule if isinstance(self._rule, ExceptionRule) else self._rule
        parts = facets_of(rule) or (rule,)
        return [Proposal(said(part), p) for part in parts if (p := truth_predicate(part)) is not None]

    def _guess(self, observed: Observed) -> Proposal | None:
        """The tokens at the strongest peaks."""
        peaks = tuple(
            dict.fromkeys(w.tokens[w.peak] for w in observed.shown.windows[:3] if any(w.activations))
        )
        return Proposal(f"the tokens {', '.join(peaks)}"[:200], TokenIn(tokens=peaks)) if peaks else None

    def _batch(
        self, observed: Observed, standing: Standing, n: int, kind: ExperimentKind
    ) -> Sequence[TestBatch]:
        leader = standing.leader
        if leader is None or leader.predicate is None:
            return ()
        rows = _Windows(observed, len(standing.experiments)).rows(n)
        return [TestBatch(leader.id, kind, tuple(tests_of(rows, leader.predicate)))]


class MisleadingProposer:
    """Does what its manner says; knows the truth and another feature's rule."""

    author = "adversary"

    def __init__(self, rule: PlantedRule, other: PlantedRule, manner: str) -> None:
        self._rule, self._other, self._manner = rule, other, manner

    async def hypotheses(self, observed: Observed, k: int) -> Sequence[Proposal]:
        """Wrong claims."""
        return self._claims()[:k]

    async def tests(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        """Windows with predictions that suit the manner."""
        return self._batch(observed, standing, n)

    async def challenges(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        """Only what its own claim passes: silent windows."""
        return self._batch(observed, standing, n)

    async def refine(self, observed: Observed, standing: Standing, k: int) -> Sequence[Proposal]:
        """The same claims again, turned round."""
        turned = [
            Proposal(f"never {p.text}", None if p.predicate is None else Not(part=p.predicate))
            for p in self._claims()
        ]
        return [*turned, *self._claims()][:k]

    def _claims(self) -> list[Proposal]:
        mine, wrong = truth_predicate(self._rule), truth_predicate(self._other)
        if self._manner == "refusal":
            return [Proposal(text, None) for text in REFUSALS]
        if self._manner == "false words":
            return [Proposal(said(self._other), mine), Proposal(REFUSALS[1], mine)]
        if self._manner == "opposite":
            pair = [None if p is None else Not(part=p) for p in (mine, wrong)]
            return [Proposal(said(self._rule), pair[0]), Proposal(said(self._other), pair[1])]
        return [Proposal(said(self._other), wrong), Proposal(said(self._rule), wrong)]

    def _batch(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        leader = standing.leader
        if leader is None or self._manner == "refusal":
            return ()
        rows = _Windows(observed, len(standing.experiments)).rows(n)
        wrong: Predicate = leader.predicate or TokenIn(tokens=(" of",))
        tests = tests_of(rows, wrong)
        if self._manner == "opposite":
            tests = [t._replace(expected=_turned(t.expected)) for t in tests]
        mine = [t for t in tests if t.expected is Expectation.SILENT] or tests
        return [TestBatch(leader.id, ExperimentKind.TEXTS, tuple(mine))]


def _turned(expected: Expectation) -> Expectation:
    return Expectation.SILENT if expected is Expectation.FIRES else Expectation.FIRES


def misleading(rule: PlantedRule, other: PlantedRule, manner: str) -> Proposer:
    """A proposer of one of `MANNERS`."""
    if manner != "chat":
        return MisleadingProposer(rule, other, manner)
    room = CallRoom(
        {Role.INVESTIGATOR: ScriptedChat(_contradicting(rule, other))},
        budget=Budget(Limits()), store=None, slots=1, counter=TokenCounter(), prices=Prices("1/1"),
    )  # fmt: skip
    return LlmProposer(room)


def _contradicting(rule: PlantedRule, other: PlantedRule) -> Script:
    """A chat model that claims falsely, predicts at random, refuses in between, and talks past the form."""

    def script(asked: Asked) -> Scripted:
        if asked.chance("refuses") < 0.25:
            return Scripted(REFUSALS[int(4 * asked.chance("which"))])
        if "hypotheses" in (asked.request.schema.name.casefold() if asked.request.schema else ""):
            return Scripted(json.dumps({"hypotheses": _false_claims(rule, other)}))
        texts = [
            f"{w} and the{t} of it" for w in ("Yesterday", "Nobody", "They saw") for t in (" ship", " tax")
        ]
        tests = [
            {"hypothesis": 1 + i % 2, "text": text, "fires": asked.chance(text) < 0.5, "why": "I am certain"}
            for i, text in enumerate(texts)
        ]
        edges = [{k: v for k, v in t.items() if k != "hypothesis"} for t in tests]
        body = {"tests": tests} if asked.form == "TestsAnswer" else {"pairs": [], "edges": edges}
        return Scripted(json.dumps(body))

    return script


def _false_claims(rule: PlantedRule, other: PlantedRule) -> list[dict[str, str]]:
    mine, wrong = truth_predicate(rule), truth_predicate(other)
    pairs = [(said(other), mine), (said(rule), wrong), (said(other), wrong), (REFUSALS[3], None)]
    return [{"label": text, "predicate": "" if p is None else predicate_json(p)} for text, p in pairs]
