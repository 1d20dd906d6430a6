"""A made-up card whose label an LLM wrote, with its candidates and the outcomes behind their scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glossator.records import (
    Candidate,
    Evidence,
    EvidenceKind,
    Explanation,
    ExplanationFlag,
    ExplanationMethod,
    FeatureCard,
    FeatureRef,
    Interval,
    LlmSpending,
    Metric,
    Negatives,
    Predicate,
    PromptRef,
    Score,
    ScoreMethod,
    Split,
    TokenIn,
    Verdict,
    VerdictKind,
)
from tests.report.fake_cards import fake_card

HOSTILE_LABEL = "<script>alert(1)</script> [bold]names[/bold] \x1b[31mred\x1b[0m [/nope]"
READER = "small-model"
N = 60
"""Firing windows, and as many silent ones."""


class FakeLabelled(NamedTuple):
    card: FeatureCard
    evidence: dict[str, Evidence]


def prompt(name: str, version: int = 1) -> PromptRef:
    return PromptRef(name=name, version=version, sha256="a" * 64)


def verdicts(accuracy: float, seed: int, unscored: int = 0) -> tuple[list[bool], list[bool | None]]:
    """Whether each window fires, and an answer that is right with chance `accuracy`."""
    rng = np.random.default_rng(seed)
    fires = [i < N for i in range(2 * N)]
    right = rng.random(2 * N) < accuracy
    answers: list[bool | None] = [f if r else not f for f, r in zip(fires, right, strict=True)]
    for i in rng.permutation(2 * N)[:unscored]:
        answers[int(i)] = None
    return fires, answers


def window_payload(fires: list[bool], answers: list[bool | None]) -> dict[str, object]:
    return {
        "documents": [f"d{i % 20}" for i in range(len(fires))],
        "positions": [40 * i for i in range(len(fires))],
        "fires": fires,
        "answers": answers,
    }


def fake_score(
    explanation: Explanation,
    accuracy: float,
    seed: int,
    *,
    method: ScoreMethod = ScoreMethod.DETECTION,
    negatives: Negatives = Negatives.RANDOM,
    unscored: int = 0,
    evidence: dict[str, Evidence],
) -> Score:
    """Balanced accuracy of made-up answers, with its evidence put into `evidence`."""
    fires, answers = verdicts(accuracy, seed, unscored)
    scored = [(f, a) for f, a in zip(fires, answers, strict=True) if a is not None]
    rates = [np.mean([a == f for f, a in scored if f is side]) for side in (True, False)]
    value = float(np.mean(rates))
    recipe = {"explanation": explanation.id, "score": method.value, "negatives": negatives.value}
    made = Evidence.of(explanation.feature, EvidenceKind.SCORE, recipe, window_payload(fires, answers))
    evidence[made.id] = made
    return Score(
        method=method,
        metric=Metric.BALANCED_ACCURACY,
        reader=READER,
        negatives=negatives,
        split=Split.SEALED,
        threshold=0.3,
        value=value,
        interval=Interval(low=value - 0.06, high=value + 0.05, method="wilson"),
        n_positive=sum(f for f, _ in scored),
        n_negative=sum(not f for f, _ in scored),
        unscored={"malformed answer": unscored} if unscored else {},
        evidence=made.id,
        prompt=prompt(f"{method.value}_many"),
        windows_per_prompt=10,
        stopped="precise",
    )


def simulation_score(value: float) -> Score:
    return Score(
        method=ScoreMethod.SIMULATION,
        metric=Metric.CORRELATION,
        reader=READER,
        negatives=Negatives.RANDOM,
        split=Split.SEALED,
        threshold=0.3,
        value=value,
        interval=Interval(low=value - 0.1, high=value + 0.1, method="bootstrap over documents"),
        n_positive=10,
        n_negative=10,
        prompt=prompt("simulation"),
        windows_per_prompt=1,
    )


def fake_candidate(
    ref: FeatureRef,
    method: ExplanationMethod,
    text: str,
    accuracy: float,
    evidence: dict[str, Evidence],
    *,
    chosen: bool = False,
    predicate: Predicate | None = None,
    prompts: tuple[PromptRef, ...] = (),
    flags: tuple[ExplanationFlag, ...] = (),
    unscored: int = 0,
    seed: int = 0,
) -> Candidate:
    author = "embedded-analyst/1" if method is ExplanationMethod.EMBEDDED else "gpt-5-mini"
    claim = Explanation.of(ref, author, text, predicate, flags, method=method, prompts=prompts)
    scores = (
        fake_score(claim, accuracy, seed, unscored=unscored, evidence=evidence),
        fake_score(claim, accuracy - 0.1, seed + 1, negatives=Negatives.HARD, evidence=evidence),
        fake_score(
            claim, accuracy - 0.05, seed + 2, method=ScoreMethod.FUZZING,
            negatives=Negatives.MISMARKED, evidence=evidence,
        ),
        simulation_score(accuracy - 0.4),
    )  # fmt: skip
    return Candidate(
        explanation=claim, scores=scores, chosen=chosen, validate_value=accuracy - 0.02, validate_n=32
    )


def llm_card(index: int = 4012, usd: float | None = 0.0123) -> FakeLabelled:
    """A refined label that is chosen over the embedded analyst's and a hostile one-shot one."""
    evidence: dict[str, Evidence] = {}
    ref = FeatureRef(subject="smollm2-135m", dictionary="12-resid-4k", index=index)
    embedded = fake_candidate(
        ref, ExplanationMethod.EMBEDDED, "the tokens “ Miss”, “ Mrs”", 0.72, evidence,
        predicate=TokenIn(tokens=(" Miss", " Mrs")), seed=10,
    )  # fmt: skip
    one_shot = fake_candidate(
        ref, ExplanationMethod.ONE_SHOT, HOSTILE_LABEL, 0.8, evidence,
        prompts=(prompt("explain_one_shot", 2),), flags=(ExplanationFlag.QUOTES_WINDOWS,),
        unscored=7, seed=20,
    )  # fmt: skip
    refined = fake_candidate(
        ref, ExplanationMethod.REFINED, "surnames after a title such as “Miss” or “Mr”", 0.97, evidence,
        chosen=True, prompts=(prompt("explain_one_shot", 2), prompt("explain_refine")), seed=30,
    )  # fmt: skip
    verdict = Verdict(kind=VerdictKind.ACCEPTED, reason="Detection is above other features' labels.")
    card = fake_card(index, "x", None, (" Bennet", " Bates"), 0.9, verdict)
    update = {
        "feature": ref,
        "explanation": refined.explanation,
        "scores": refined.scores,
        "candidates": (embedded, one_shot, refined),
        "rejected": {"prompt echo": 2, "refusal": 1},
        "spending": LlmSpending(
            calls=41, cached=3, input_tokens=20_512, output_tokens=1_403, usd=usd,
            unscored={"timed out": 2, "malformed answer": 7},
        ),
        "evidence": tuple(evidence),
    }  # fmt: skip
    return FakeLabelled(card.model_copy(update=update), evidence)
