"""Detection: whether a model with only the explanation can tell firing windows from silent ones.

Paulo et al. 2024 (https://arxiv.org/abs/2410.13928), but with random and hard negatives as separate
scores on the same firing windows, all three kinds mixed in every prompt.
"""

from __future__ import annotations

from glossator.agents.scorers.compared import Compared, Scored
from glossator.agents.scorers.examples import Group, ScoringExamples, seed_of
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.agents.scorers.question_set import QuestionSet, reading_order
from glossator.agents.scorers.verdict_answers import VerdictQuestion
from glossator.agents.scorers.verdict_scores import ask_and_score
from glossator.probes.windows import window_texts
from glossator.prompts.fence import neutral
from glossator.records import Negatives, ScoreMethod


async def detection_scores(
    bench: LlmBench, compared: Compared, examples: ScoringExamples
) -> tuple[Scored, ...]:
    """Balanced accuracy, precision, recall and, with probabilities, AUC against each kind of negatives."""
    feature = compared.explanation.feature
    seed = seed_of(feature, "detection by a model")
    questions = bench.questions.of(
        ScoreMethod.DETECTION, feature, examples, lambda: detection_questions(bench, examples, seed)
    )
    asked = VerdictQuestion(
        method=ScoreMethod.DETECTION,
        negatives={Group.RANDOM: Negatives.RANDOM, Group.HARD: Negatives.HARD},
        questions=questions,
        prompt=bench.reader.prompt("detection"),
        seed=seed,
        bootstrap=bench.bootstrap(feature),
    )
    return await ask_and_score(bench, compared, examples, asked, bench.reader.detect)


def detection_questions(bench: LlmBench, examples: ScoringExamples, seed: int) -> QuestionSet:
    """Firing windows and both kinds of negatives, in reading order."""
    order = reading_order(examples.group, bench.settings, seed)
    windows = examples.windows.take(order)
    return QuestionSet(
        texts=tuple(neutral(text) for text in window_texts(bench.room.sealed, windows)),
        group=examples.group[order],
        document=windows.document,
        position=windows.centre,
    )
