"""The answers behind a score by verdicts: documents, positions, numbers, never the text."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from jaxtyping import Bool

from glossator.agents.firing_facts import STRONG
from glossator.agents.scorers.compared import Compared
from glossator.agents.scorers.examples import Group, ScoringExamples
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.agents.scorers.score_evidence import score_evidence
from glossator.agents.scorers.staged_reading import StagedReading
from glossator.agents.scorers.verdict_answers import Answers, VerdictQuestion
from glossator.probes.negatives import KINDS
from glossator.records import Evidence


def verdict_evidence(
    bench: LlmBench,
    compared: Compared,
    examples: ScoringExamples,
    asked: VerdictQuestion,
    group: Group,
    staged: StagedReading | None,
) -> Evidence:
    """Evidence of one kind of negatives, all explanations side by side; null where not read or answered."""
    recipe = {
        "score": asked.method.value,
        "reader": bench.reader.name,
        "negatives": asked.negatives[group].value,
        "threshold": STRONG,
        "examples": dict(examples.recipe),
        "prompt": asked.prompt.model_dump(mode="json"),
        "windows_per_prompt": bench.reader.windows_per_prompt,
        "seed": asked.seed,
        "sizes": _sizes(bench),
        "stopped": "" if staged is None else staged.stopped.value,
    }
    payload = {} if staged is None else _outcomes(bench, examples, asked, group, staged)
    return score_evidence(bench.room, compared, recipe, payload)


def _sizes(bench: LlmBench) -> dict[str, object]:
    sizes = asdict(bench.settings)
    return {name: value for name, value in sizes.items() if name != "methods"}


def _outcomes(
    bench: LlmBench,
    examples: ScoringExamples,
    asked: VerdictQuestion,
    group: Group,
    staged: StagedReading,
) -> dict[str, object]:
    """Where each item is, whether it fires, and what each explanation's reader said; never its text."""
    n, questions = len(staged.main), asked.questions
    main = Answers(questions, staged.main.fires, staged.main.probability)
    chosen = main.against(group)
    documents = bench.room.sealed.text.documents
    payload: dict[str, object] = {
        "documents": [documents[int(d)].id for d in main.document[chosen]],
        "positions": questions.position[:n][chosen].tolist(),
        "fires": (main.group[chosen] == Group.FIRING).tolist(),
        "answers": _plain_answers(main, chosen),
        "probabilities": _plain_probabilities(main, chosen),
        "hard_negatives_found": {
            str(k): examples.hard_found[k] for k in KINDS if k in examples.hard_found
        },
    }  # fmt: skip
    for name in ("shuffled", "empty", "analyst"):
        answers = Answers.of(questions, getattr(staged, name), n)
        if answers is not None:
            payload[name] = _plain_answers(answers, chosen)
    return payload


def _plain_answers(answers: Answers, chosen: Bool[np.ndarray, " read"]) -> list[int | None]:
    return [None if a < 0 else int(a) for a in answers.fires[chosen]]


def _plain_probabilities(answers: Answers, chosen: Bool[np.ndarray, " read"]) -> list[float | None]:
    return [None if np.isnan(p) else round(float(p), 5) for p in answers.probability[chosen]]
