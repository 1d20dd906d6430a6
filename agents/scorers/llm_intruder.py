"""Intruder: whether a model without any explanation can find the one silent window of five.

Four fire about equally strongly (neighbours in the ranking of the firing windows), the fifth is a random
one or a hard negative, as two scores. A feature on which this fails has no meaning that shows
in its windows, whatever the explanation; chance is one in five. After EleutherAI's intruder scorer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from glossator.agents.firing_facts import STRONG
from glossator.agents.llm_calls.all_finished import all_finished
from glossator.agents.llm_calls.answer_parsing import choice_schema, read_choice
from glossator.agents.llm_calls.chat import Call, Role, Unscored
from glossator.agents.scorers.compared import Compared, Scored
from glossator.agents.scorers.examples import Group, ScoringExamples, seed_of
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.agents.scorers.score_evidence import score_evidence
from glossator.agents.scorers.window_scores import NO_FIRING, NO_SILENT
from glossator.probes.intervals import wilson
from glossator.probes.windows import window_texts
from glossator.prompts.fence import fenced
from glossator.prompts.prompt_file import load_prompt
from glossator.records import (
    Baseline,
    BaselineName,
    Evidence,
    Interval,
    Metric,
    Negatives,
    Score,
    ScoreMethod,
    Split,
)

SHOWN = 5
"""Windows in a question; one of them is the intruder."""
_MAX_TOKENS = 32
_CHANCE = Baseline(
    name=BaselineName.EMPTY,
    value=1 / SHOWN,
    interval=Interval(low=1 / SHOWN, high=1 / SHOWN, method="exact: one in five"),
)


class _Question(NamedTuple):
    """Five windows, by their number in the examples, in the order shown."""

    shown: tuple[int, ...]
    odd: int
    """Which of them is the intruder, from 1."""


async def intruder_scores(
    bench: LlmBench, compared: Compared, examples: ScoringExamples
) -> tuple[Scored, ...]:
    """Accuracy with random and with hard intruders; the explanation is not read."""
    seed = seed_of(compared.explanation.feature, "intruder")
    kinds = ((Group.RANDOM, Negatives.RANDOM), (Group.HARD, Negatives.HARD))
    asked = [_questions(examples, group, bench.settings.intruder_questions, seed) for group, _ in kinds]
    answers = await all_finished(_answers(bench, examples, questions) for questions in asked)
    return tuple(
        _scored(bench, compared, examples, negatives, questions, chosen, seed)
        for (_, negatives), questions, chosen in zip(kinds, asked, answers, strict=True)
    )


def _questions(examples: ScoringExamples, group: Group, most: int, seed: int) -> list[_Question]:
    """Up to `most`: neighbours in strength, spread over all strengths, each with one silent window."""
    rng = np.random.default_rng(seed + group)
    firing = np.flatnonzero(examples.firing)
    firing = firing[np.argsort(-examples.windows.activation[firing], kind="stable")]
    alike = [firing[i : i + SHOWN - 1] for i in range(0, len(firing) - SHOWN + 2, SHOWN - 1)]
    silent = rng.permutation(np.flatnonzero(examples.group == group))
    n = min(most, len(alike), len(silent))
    spread = np.unique(np.linspace(0, len(alike) - 1, n).round().astype(int)) if n else []
    questions: list[_Question] = []
    for number, odd_one in zip(spread, silent.tolist(), strict=False):
        order = rng.permutation(SHOWN)
        windows = np.append(alike[int(number)], odd_one)[order]
        questions.append(_Question(tuple(windows.tolist()), int(np.flatnonzero(order == SHOWN - 1)[0]) + 1))
    return questions


async def _answers(
    bench: LlmBench, examples: ScoringExamples, questions: Sequence[_Question]
) -> list[int | Unscored]:
    calls = [_call(bench, examples, question) for question in questions]
    read = partial(read_choice, n=SHOWN)
    return await all_finished(bench.calls.ask(call, read) for call in calls)


def _call(bench: LlmBench, examples: ScoringExamples, question: _Question) -> Call:
    windows = examples.windows.take(np.array(question.shown))
    texts = window_texts(bench.room.sealed, windows)
    return Call(
        role=Role.SCORER,
        prompt=load_prompt("intruder").render(windows=[fenced(i, t) for i, t in enumerate(texts, 1)]),
        max_tokens=_MAX_TOKENS,
        likely=json.dumps({"odd": 1}),
        schema=choice_schema(SHOWN),
    )


def _scored(
    bench: LlmBench,
    compared: Compared,
    examples: ScoringExamples,
    negatives: Negatives,
    questions: Sequence[_Question],
    answers: Sequence[int | Unscored],
    seed: int,
) -> Scored:
    evidence = _evidence(bench, compared, examples, negatives, questions, answers, seed)
    right = [q.odd == a for q, a in zip(questions, answers, strict=True) if not isinstance(a, Unscored)]
    unscored = Counter(a.reason.value for a in answers if isinstance(a, Unscored))
    if not questions:
        unscored[NO_SILENT if int(examples.firing.sum()) >= SHOWN - 1 else NO_FIRING] += len(examples.windows)
    score = Score(
        method=ScoreMethod.INTRUDER,
        metric=Metric.ACCURACY,
        reader=bench.reader.name,
        negatives=negatives,
        split=Split.SEALED,
        threshold=STRONG,
        value=sum(right) / len(right) if right else None,
        interval=wilson(sum(right), len(right)) if right else None,
        n_positive=len(right) * (SHOWN - 1),
        n_negative=len(right),
        unscored=dict(unscored),
        baselines=(_CHANCE,),
        evidence=evidence.id,
        prompt=load_prompt("intruder").ref,
        windows_per_prompt=SHOWN,
    )
    return Scored(score, evidence)


def _evidence(
    bench: LlmBench,
    compared: Compared,
    examples: ScoringExamples,
    negatives: Negatives,
    questions: Sequence[_Question],
    answers: Sequence[int | Unscored],
    seed: int,
) -> Evidence:
    recipe = {
        "score": ScoreMethod.INTRUDER.value,
        "reader": bench.reader.name,
        "negatives": negatives.value,
        "threshold": STRONG,
        "examples": dict(examples.recipe),
        "prompt": load_prompt("intruder").ref.model_dump(mode="json"),
        "windows_per_prompt": SHOWN,
        "questions": bench.settings.intruder_questions,
        "seed": seed,
    }
    centres, documents = examples.windows.centre, examples.windows.document
    infos = bench.room.sealed.text.documents
    payload = {
        "positions": [[int(centres[i]) for i in q.shown] for q in questions],
        "documents": [[infos[int(documents[i])].id for i in q.shown] for q in questions],
        "odd": [q.odd for q in questions],
        "answers": [None if isinstance(a, Unscored) else a for a in answers],
    }
    return score_evidence(bench.room, compared, recipe, payload)
