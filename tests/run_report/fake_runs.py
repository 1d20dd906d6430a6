"""A made-up labelling run of any size: cards, outcomes, items and events that fit one another.

Feature `i` is what `i % 20` says: most have a label that is right to a degree, some have a label that is
no better than another's, some are dead, abstained on, failed or left. Cards are made one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from pydantic import JsonValue

from glossator.records import (
    Baseline,
    BaselineName,
    Candidate,
    Contradiction,
    Depth,
    Evidence,
    EvidenceKind,
    Explanation,
    ExplanationMethod,
    FeatureCard,
    FeatureNames,
    FeatureRef,
    Interval,
    ItemState,
    LlmSpending,
    Metric,
    Negatives,
    PromptRef,
    RunEvent,
    RunEventKind,
    RunItem,
    RunOrder,
    RunPlan,
    RunSpending,
    RunVariant,
    Score,
    ScoreMethod,
    Split,
    StoredRunEvent,
    TokenEffect,
    TokenIn,
    Verdict,
    VerdictKind,
)

NAMES = FeatureNames("smollm2-135m", "12-resid-4k")
READER = "gpt-5-mini"
BEGAN = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
WINDOWS = 100
"""Firing windows, and as many silent ones, of every feature."""
HOSTILE = 3
"""The feature whose label tries to break the page."""
UNSTORED = 9
"""Features with this remainder by 50 have no stored outcomes."""
_SUBJECTS = ("names of rivers", "verbs of motion", "dates in letters", "legal terms", "opening brackets")
_PLACES = ("in travel writing", "after a comma", "in Python code", "at the start of a line", "before a verb")
_PROMPT = PromptRef(name="score_detection", version=1, sha256="0" * 64)


@dataclass(frozen=True)
class Outcomes:
    """What one reader said of a feature's windows."""

    documents: tuple[str, ...]
    fires: tuple[bool, ...]
    said: tuple[bool, ...]

    @property
    def value(self) -> float:
        right = np.array(self.fires) == np.array(self.said)
        fires = np.array(self.fires)
        return float((right[fires].mean() + right[~fires].mean()) / 2)


@dataclass(frozen=True)
class FakeRun:
    """A run over features 0 to `n` - 1."""

    n: int
    shift: float = 0.0
    """How much better its labels are than those of a run with 0."""

    def rate(self, feature: int) -> float:
        """How often the reader is right about a window; 0.5 for labels that are no better than another's."""
        if feature % 20 in (4, 5):
            return 0.5
        return min(0.97, 0.62 + 0.35 * np.random.default_rng(feature).random() + self.shift)

    def outcomes(self, feature: int, rate: float, salt: int) -> Outcomes:
        """Two windows in each document, answered independently with `rate`."""
        rng = np.random.default_rng([feature, salt])
        fires = np.arange(2 * WINDOWS) < WINDOWS
        right = rng.random(2 * WINDOWS) < rate
        documents = tuple(f"d{int(i) // 2}" for i in range(2 * WINDOWS))
        return Outcomes(documents, tuple(fires.tolist()), tuple(np.where(right, fires, ~fires).tolist()))

    def evidence(self, identity: str) -> Evidence | None:
        """The outcomes behind a detection score; its id names the feature."""
        if not identity.startswith("e-"):
            return None
        feature = int(identity[2:])
        if feature % 50 == UNSTORED:
            return None
        found = self.outcomes(feature, self.rate(feature), 1)
        payload: dict[str, JsonValue] = {
            "documents": list(found.documents),
            "positions": list(range(len(found.documents))),
            "fires": list(found.fires),
            "answers": [int(s) for s in found.said],
        }
        ref = self.ref(feature)
        return Evidence(id=identity, feature=ref, kind=EvidenceKind.SCORE, recipe={}, payload=payload)

    @staticmethod
    def ref(feature: int) -> FeatureRef:
        return FeatureRef(subject=NAMES.subject, dictionary=NAMES.dictionary, index=feature)

    @property
    def plan(self) -> RunPlan:
        return RunPlan(
            names=NAMES,
            index_identity="idx-5f2a9c0d11e8",
            depth=Depth.LABEL,
            selection="all",
            order=RunOrder.PROMISING,
            variants=(
                RunVariant(work_key=f"w-{self.shift}", explain_by=("one_shot",), score_by=("detection",)),
            ),
            panel=(1, 2, 3),
            budget="20usd",
            until="2026-11-28T07:00:00+00:00",
            settings={"explainer": "gpt-5", "scorer": READER},
        )

    def state(self, feature: int) -> ItemState:
        ends = {37: ItemState.PLANNED, 38: ItemState.FAILED, 39: ItemState.SKIPPED}
        return ends.get(feature % 40, ItemState.DONE)

    def has_card(self, feature: int) -> bool:
        """Every second skipped one has a card of an earlier run."""
        return self.state(feature) is ItemState.DONE or feature % 80 == 39

    def items(self) -> list[RunItem]:
        return [self._item(i) for i in range(self.n)]

    def _item(self, feature: int) -> RunItem:
        state = self.state(feature)
        done = state is ItemState.DONE
        reason = {
            ItemState.FAILED: "the endpoint refused: content filter" if feature % 3 else "timed out",
            ItemState.SKIPPED: "dead: it fires nowhere in the explore split",
        }.get(state, "")
        if self.has_card(feature) and not done:
            reason = "labelled before under the same settings"
        return RunItem(
            feature=self.ref(feature),
            state=state,
            priority=1.0,
            attempts=1 + feature % 7 // 6,
            worker="w-1",
            reason=reason,
            retryable=reason == "timed out",
            card=f"c-{feature}" if self.has_card(feature) else None,
            spending=self._spending(feature) if done else None,
            seconds=8.0 + feature % 5 if done else None,
        )

    @staticmethod
    def _spending(feature: int) -> LlmSpending:
        unscored = {"malformed answer": 1} if feature % 9 == 0 else {}
        return LlmSpending(
            calls=20 + feature % 7,
            input_tokens=15_000,
            output_tokens=700,
            usd=0.0009 + 1e-5 * (feature % 11),
            unscored=unscored,
        )

    @property
    def spending(self) -> RunSpending:
        return RunSpending(
            calls=23 * self.n, tokens=15_700 * self.n, usd=0.001 * self.n, unaccounted_calls=37,
            unaccounted_usd=0.0021,
        )  # fmt: skip

    def ended(self) -> list[int]:
        rng = np.random.default_rng(5)
        hours = np.sort(rng.beta(1.3, 1.1, self.n) * 7.5)
        begin = BEGAN.timestamp()
        return [int((begin + 3600 * h) * 1000) for h in hours if not 2.1 < h < 2.9]

    def events(self) -> list[StoredRunEvent]:
        said = [
            (0, RunEventKind.STARTED, "started: 4 workers, 20usd, until 07:00"),
            (1, RunEventKind.WORKER_STARTED, "worker w-1 on host-a"),
            (20, RunEventKind.PROJECTED, "all features would cost about $18.40 [17.90, 18.90]"),
            (70, RunEventKind.WORKER_LOST, "worker w-2 was killed; 11 features are free again"),
            (
                126,
                RunEventKind.OUTAGE_BEGAN,
                "<script>alert(1)</script> endpoint https://a|b does not answer",
            ),
            (174, RunEventKind.OUTAGE_ENDED, "the endpoint answers again after 48 minutes"),
            (300, RunEventKind.PAUSED, "paused"),
            (330, RunEventKind.STARTED, "goes on"),
            (450, RunEventKind.BUDGET_SPENT, "the budget pays for no further feature"),
        ]
        return [
            StoredRunEvent(
                seq=i,
                at=(BEGAN + timedelta(minutes=minutes)).isoformat(),
                event=RunEvent(kind=kind, words=words, worker="w-1" if "OUTAGE" in kind.name else ""),
            )
            for i, (minutes, kind, words) in enumerate(said)
        ]

    @staticmethod
    def contradictions() -> list[Contradiction]:
        words = "nearly one direction (cosine 0.97), and they are worded unlike each other: similarity 0.11"
        return [Contradiction(first="f-0123456789ab", second=f"f-{i:012d}", words=words) for i in range(30)]

    def cards(self) -> Iterator[FeatureCard]:
        """One card for each feature that was done, or skipped because it had one."""
        for feature in range(self.n):
            if self.has_card(feature):
                yield self.card(feature)

    def label(self, feature: int) -> str:
        if feature == HOSTILE:
            return 'tags like <img src=x onerror=alert(1)>, [bold] | *stars* & "quotes"'
        if feature % 10 == 7:
            return _SUBJECTS[feature % 5]
        return f"{_SUBJECTS[feature % 5]} {_PLACES[feature // 5 % 5]}, kind {feature // 3}"

    def card(self, feature: int) -> FeatureCard:
        if feature % 20 == 6:
            return self._card(feature, None, (), self._abstained(feature, "no hypothesis explained enough"))
        ref, text = self.ref(feature), self.label(feature)
        rule = TokenIn(tokens=(f" t{feature % 30}", f" t{feature % 60}"))
        by_model = Explanation.of(ref, "gpt-5", text, rule, method=ExplanationMethod.ONE_SHOT)
        embedded = Explanation.of(ref, "embedded-analyst/1", f"the tokens t{feature % 30}", rule)
        own, other = self.outcomes(feature, self.rate(feature), 1), self.outcomes(feature, 0.7, 2)
        scores = (
            self._score(feature, READER, own.value, Negatives.RANDOM),
            self._score(feature, READER, max(0.45, own.value - 0.2), Negatives.HARD),
            self._score(feature, "predicate", min(1.0, other.value + 0.1), Negatives.RANDOM),
            self._f1(feature, max(0.0, own.value - 0.3)),
        )
        before = (self._score(feature, READER, other.value, Negatives.RANDOM),)
        candidates = (
            Candidate(explanation=by_model, scores=scores, chosen=True, validate_value=0.8, validate_n=40),
            Candidate(explanation=embedded, scores=before, chosen=False, validate_value=0.7, validate_n=40),
        )
        return self._card(feature, by_model, candidates, self._verdict(feature, own.value))

    def _verdict(self, feature: int, value: float) -> Verdict:
        numbers = f"detection {value:.2f} ({value - 0.07:.2f} to {value + 0.06:.2f}) with random negatives"
        if value - 0.07 <= 0.52:
            reason = f"{numbers}: not above explanations of other features (up to 0.52)"
            return self._abstained(feature, reason)
        kind = VerdictKind.ACCEPTED if value >= 0.75 else VerdictKind.TENTATIVE
        return Verdict(kind=kind, reason=f"{numbers}: above explanations of other features (up to 0.52)")

    @staticmethod
    def _abstained(feature: int, reason: str) -> Verdict:
        return Verdict(kind=VerdictKind.ABSTAINED, reason=f"uninterpretable so far: {reason}", tried=())

    def _card(
        self,
        feature: int,
        explanation: Explanation | None,
        candidates: tuple[Candidate, ...],
        verdict: Verdict,
    ) -> FeatureCard:
        return FeatureCard(
            feature=self.ref(feature),
            explanation=explanation,
            verdict=verdict,
            scores=candidates[0].scores if candidates else (),
            density=0.002,
            n_firings=400 + feature % 97,
            max_activation=12.0,
            histogram_edges=(0.1, 1.0, 12.0),
            histogram_counts=(300, 100),
            promoted=(TokenEffect(token=" river", effect=1.0 + feature % 13 / 5),),
            suppressed=(),
            windows=(),
            silent_windows=(),
            neighbours=tuple(n for n in (feature + 30, feature - 30) if 0 <= n < self.n),
            evidence=(),
            index_identity="idx-5f2a9c0d11e8",
            candidates=candidates,
            rejected={"too long": 1} if feature % 8 == 0 else {},
            spending=self._spending(feature),
        )

    def _score(self, feature: int, reader: str, value: float, negatives: Negatives) -> Score:
        model = reader == READER
        shuffled = 0.5 + 0.04 * np.random.default_rng([feature, 7]).standard_normal()
        return Score(
            method=ScoreMethod.DETECTION,
            metric=Metric.BALANCED_ACCURACY,
            reader=reader,
            negatives=negatives,
            split=Split.SEALED,
            threshold=0.3,
            value=value,
            interval=_interval(value, 0.05),
            n_positive=WINDOWS,
            n_negative=WINDOWS,
            unscored={"timed out": 2} if feature % 6 == 0 and model else {},
            baselines=(
                Baseline(
                    name=BaselineName.SHUFFLED,
                    value=shuffled,
                    interval=_interval(shuffled, 0.02),
                    n_positive=15,
                    n_negative=5,
                ),
                Baseline(name=BaselineName.EMPTY, value=0.5, interval=_interval(0.5, 0.0)),
                Baseline(name=BaselineName.EMBEDDED_ANALYST, value=0.7, interval=_interval(0.7, 0.05)),
            ),
            evidence=f"e-{feature}" if negatives is Negatives.RANDOM else None,
            prompt=_PROMPT if model else None,
            windows_per_prompt=5 if model else None,
        )

    @staticmethod
    def _f1(feature: int, value: float) -> Score:
        measured = feature % 15 != 0
        return Score(
            method=ScoreMethod.PREDICATE,
            metric=Metric.F1,
            reader="predicate",
            negatives=Negatives.ALL_TOKENS,
            split=Split.SEALED,
            threshold=0.3,
            value=value if measured else None,
            interval=_interval(value, 0.06) if measured else None,
            n_positive=300 if measured else 0,
            n_negative=90_000 if measured else 0,
            unscored={} if measured else {"the predicate holds nowhere": 90_300},
            baselines=(Baseline(name=BaselineName.SHUFFLED, value=0.01, interval=_interval(0.01, 0.01)),),
        )


def directions(features: list[int] | tuple[int, ...]) -> np.ndarray:
    """Random directions; features 10 and 11 are nearly one, so are 20 and 21."""
    rows = np.stack([np.random.default_rng([f, 99]).standard_normal(64) for f in features])
    for i, feature in enumerate(features):
        if feature in (11, 21) and feature - 1 in features:
            rows[i] = rows[list(features).index(feature - 1)] + 0.05 * rows[i]
    return rows.astype(np.float32)


def _interval(value: float, half: float) -> Interval:
    return Interval(low=max(0.0, value - half), high=min(1.0, value + half), method="wilson")
