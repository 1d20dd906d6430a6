"""Fuzzing: whether a model with only the explanation can tell rightly from wrongly marked tokens.

Paulo et al. 2024 (https://arxiv.org/abs/2410.13928). Two kinds of wrong marks are separate scores:
silent windows with as many tokens marked, and other firing windows with tokens marked that are silent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from glossator.agents.scorers.compared import Compared, Scored
from glossator.agents.scorers.examples import Group, ScoringExamples, seed_of
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.agents.scorers.marking import Marks, Runs, markable, placed_marks, run_lengths, true_marks
from glossator.agents.scorers.question_set import QuestionSet, reading_order
from glossator.agents.scorers.verdict_answers import VerdictQuestion
from glossator.agents.scorers.verdict_scores import ask_and_score
from glossator.probes.split_view import SealedView
from glossator.probes.windows import WindowBatch, join_windows
from glossator.prompts.fence import marked
from glossator.records import FeatureRef, Negatives, ScoreMethod

NO_OTHER_TOKENS = "too few other tokens to mark"


async def fuzzing_scores(
    bench: LlmBench, compared: Compared, examples: ScoringExamples
) -> tuple[Scored, ...]:
    """Balanced accuracy, precision, recall and, with probabilities, AUC against each kind of wrong marks."""
    feature = compared.explanation.feature
    seed = seed_of(feature, "fuzzing by a model")
    asked = VerdictQuestion(
        method=ScoreMethod.FUZZING,
        negatives={Group.RANDOM: Negatives.MARKED_SILENT, Group.HARD: Negatives.MISMARKED},
        questions=bench.questions.of(
            ScoreMethod.FUZZING, feature, examples, lambda: fuzzing_questions(bench, feature, examples, seed)
        ),
        prompt=bench.reader.prompt("fuzzing"),
        seed=seed,
        bootstrap=bench.bootstrap(feature),
    )
    return await ask_and_score(bench, compared, examples, asked, bench.reader.fuzz)


def fuzzing_questions(
    bench: LlmBench, feature: FeatureRef, examples: ScoringExamples, seed: int
) -> QuestionSet:
    """Rightly marked, silent marked and wrongly marked windows, in reading order.

    Firing windows are dealt out in turn, by a seeded draw, to be marked rightly or wrongly: no window is
    seen both ways.
    """
    view, sizes, rng = bench.room.sealed, bench.settings, np.random.default_rng(seed)
    dealt = rng.permutation(np.flatnonzero(examples.firing))
    right = examples.windows.take(dealt[0::2][: sizes.max_firing])
    wrong = examples.windows.take(dealt[1::2][: sizes.max_hard])
    random = rng.permutation(np.flatnonzero(examples.group == Group.RANDOM))
    silent = examples.windows.take(random[: sizes.max_random])
    truth = true_marks(view, feature.index, right)
    shapes = [run_lengths(marks) for marks in truth]
    own = [run_lengths(marks) for marks in true_marks(view, feature.index, wrong)]
    if not shapes:
        silent = silent.take(dealt)
    borrowed = [shapes[i % len(shapes)] for i in range(len(silent))]
    groups = {
        Group.FIRING: _Marked(right, truth, 0),
        Group.RANDOM: _wrongly_marked(view, feature, silent, borrowed),
        Group.HARD: _wrongly_marked(view, feature, wrong, own),
    }
    return _in_order(view, groups, bench.settings, seed)


class _Marked(NamedTuple):
    """Windows with their marks, and how many could not be marked."""

    windows: WindowBatch
    marks: list[Marks]
    left_out: int


def _wrongly_marked(
    view: SealedView,
    feature: FeatureRef,
    windows: WindowBatch,
    shapes: Sequence[Runs],
) -> _Marked:
    allowed = markable(view, feature.index, windows)
    places = [seed_of(feature, f"marks at {start}") for start in windows.start.tolist()]
    tried = [placed_marks(*each) for each in zip(shapes, allowed, places, strict=True)]
    kept = np.array([marks is not None for marks in tried], dtype=bool)
    return _Marked(windows.take(kept), [m for m in tried if m is not None], int((~kept).sum()))


def _in_order(
    view: SealedView, groups: Mapping[Group, _Marked], settings: LlmScoringSettings, seed: int
) -> QuestionSet:
    group = np.repeat(np.array([int(g) for g in groups]), [len(m.windows) for m in groups.values()])
    order = reading_order(group, settings, seed)
    joined = join_windows([m.windows for m in groups.values()], wanted=len(group))
    marks = [mark for m in groups.values() for mark in m.marks]
    windows = joined.take(order)
    pairs = zip(windows.start.tolist(), windows.stop.tolist(), strict=True)
    tokens = [view.text.strings(start, stop) for start, stop in pairs]
    return QuestionSet(
        texts=tuple(marked(t, marks[i].tolist()) for t, i in zip(tokens, order.tolist(), strict=True)),
        group=group[order],
        document=windows.document,
        position=windows.centre,
        left_out={g: {NO_OTHER_TOKENS: m.left_out} for g, m in groups.items() if m.left_out},
    )
