"""From verdicts on windows to scores: balanced accuracy, precision, recall, and AUC by probabilities.

Each kind of negatives is a question of its own, on the same firing items. Items without a usable answer
leave the sample and are counted by reason. Precision is that of the sample, with as many silent items as
firing ones where both could be found; it says nothing of how often the label holds in running text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from glossator.agents.firing_facts import STRONG
from glossator.agents.scorers.compared import Compared, Measured, Scored, baselines
from glossator.agents.scorers.examples import Group, ScoringExamples
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.agents.scorers.staged_reading import Ask, StagedReading, read_in_stages
from glossator.agents.scorers.verdict_answers import METRICS, Answers, VerdictQuestion
from glossator.agents.scorers.verdict_evidence import verdict_evidence
from glossator.agents.scorers.window_scores import NO_FIRING, NO_SILENT
from glossator.records import Evidence, Metric, Negatives, Score, Split

SAID_OF_NONE = "the reader said of no window that it fires"
NO_PROBABILITY = "the answer came without a probability"


async def ask_and_score(
    bench: LlmBench, compared: Compared, examples: ScoringExamples, asked: VerdictQuestion, ask: Ask
) -> tuple[Scored, ...]:
    """Read in stages and score; the model is not asked where nothing could be told apart."""
    group, staged = asked.questions.group, None
    if (group == Group.FIRING).any() and (group != Group.FIRING).any():
        staged = await read_in_stages(
            ask,
            compared,
            asked.questions,
            bench.settings,
            windows_per_prompt=bench.reader.windows_per_prompt,
            bootstrap=asked.bootstrap,
        )
    return verdict_scores(bench, compared, examples, asked, staged)


def verdict_scores(
    bench: LlmBench,
    compared: Compared,
    examples: ScoringExamples,
    asked: VerdictQuestion,
    staged: StagedReading | None,
) -> tuple[Scored, ...]:
    """One score per kind of negatives and metric; `staged` is None where there was nothing to ask."""
    scored: list[Scored] = []
    for group, negatives in asked.negatives.items():
        evidence = verdict_evidence(bench, compared, examples, asked, group, staged)
        if staged is None or not (asked.questions.group == group).any():
            score = _unasked(bench, asked, negatives, group)
            found = [score.model_copy(update={"evidence": evidence.id})]
        else:
            found = _scores(bench, asked, negatives, group, staged, evidence)
        scored += [Scored(score, evidence) for score in found]
    return tuple(scored)


def _scores(
    bench: LlmBench,
    asked: VerdictQuestion,
    negatives: Negatives,
    group: Group,
    staged: StagedReading,
    evidence: Evidence,
) -> list[Score]:
    n = len(staged.main)
    main = Answers(asked.questions, staged.main.fires, staged.main.probability)
    others = [Answers.of(asked.questions, p, n) for p in (staged.shuffled, staged.empty, staged.analyst)]
    own, *theirs = (
        {} if a is None else a.measured(group, asked.bootstrap) for a in (main, *others)
    )  # fmt: skip
    probabilities = bool(main.with_probability(group).any())
    scores: list[Score] = []
    for metric in (*METRICS, *([Metric.AUC] if probabilities else [])):
        sample = main.against(group) & (main.fires >= 0)
        sample = main.with_probability(group) if metric is Metric.AUC else sample
        positive = int((sample & (main.group == Group.FIRING)).sum())
        negative = int(sample.sum()) - positive
        unscored = _unscored(asked, main, staged.main.reasons, group, metric)
        measured = own.get(metric)
        if measured is None:
            unscored |= _why_undefined(metric, positive, negative)
            positive = negative = 0
        score = _score(bench, asked, negatives, metric, measured, unscored)
        extra: dict[str, object] = {
            "n_positive": positive,
            "n_negative": negative,
            "baselines": baselines(*(t.get(metric) for t in theirs)),
            "stopped": staged.stopped.value,
            "evidence": evidence.id,
        }
        scores.append(score.model_copy(update=extra))
    return scores


def _score(
    bench: LlmBench,
    asked: VerdictQuestion,
    negatives: Negatives,
    metric: Metric,
    measured: Measured | None,
    unscored: Mapping[str, int],
) -> Score:
    return Score(
        method=asked.method,
        metric=metric,
        reader=bench.reader.name,
        negatives=negatives,
        split=Split.SEALED,
        threshold=STRONG,
        value=measured and measured.value,
        interval=measured and measured.interval,
        n_positive=0,
        n_negative=0,
        unscored=dict(unscored),
        prompt=asked.prompt,
        windows_per_prompt=bench.reader.windows_per_prompt,
    )


def _unasked(bench: LlmBench, asked: VerdictQuestion, negatives: Negatives, group: Group) -> Score:
    """Without firing items, or without any silent ones, the model is not asked."""
    firing = int((asked.questions.group == Group.FIRING).sum())
    silent = int((asked.questions.group == group).sum())
    reason = NO_SILENT if firing else NO_FIRING
    unscored = {reason: firing + silent, **asked.questions.left_out.get(group, {})}
    score = _score(bench, asked, negatives, Metric.BALANCED_ACCURACY, None, unscored)
    return score.model_copy(update={"baselines": baselines(None, None, None)})


def _unscored(
    asked: VerdictQuestion,
    main: Answers,
    reasons: Sequence[object],
    group: Group,
    metric: Metric,
) -> dict[str, int]:
    """Reason to count, for the items that were read and for those that could not be made."""
    in_sample = main.against(group)
    counted = Counter(str(r) for r, here in zip(reasons, in_sample, strict=True) if here and r is not None)
    if metric is Metric.AUC:
        without = int((in_sample & (main.fires >= 0)).sum() - main.with_probability(group).sum())
        counted.update({NO_PROBABILITY: without} if without else {})
    return {**counted, **asked.questions.left_out.get(group, {})}


def _why_undefined(metric: Metric, positive: int, negative: int) -> dict[str, int]:
    """Reasons besides missing answers."""
    if not positive + negative:
        return {}
    if positive and not negative:
        return {NO_SILENT: positive}
    if negative and not positive:
        return {NO_FIRING: negative}
    return {SAID_OF_NONE: positive + negative} if metric is Metric.PRECISION else {}
