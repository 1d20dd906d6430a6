"""The folders of a Delphi run: `explanations/`, `scores/{scorer}/`, as its code writes and reads them.

After the wheel eai-delphi 0.1.3 (https://github.com/EleutherAI/delphi):

- a latent is named `{hookpoint}_latent{index}` (`latents/latents.py:31`);
- its explanation is one JSON string in `explanations/{latent}.txt` (`__main__.py:176-178`), read back by
  `explanation_loader` (`explainers/explainer.py:122-131`);
- its scores are a JSON list in `scores/{scorer}/{latent}.txt` with `/` as `--` (`__main__.py:233-237`), for
  `detection` and `fuzz` of `ClassifierOutput` (`scorers/classifier/sample.py:18-39`), read back by
  `parse_score_file` (`log/result_analysis.py:155-181`).

`detection` and `fuzz` are written only for what a language model read against the same negatives as
Delphi's. Labels that the predicate or the embedder read are in folders of their own beside them, which
Delphi's report reads as well. Scores are of sealed texts: `str_tokens` and `activations` are empty lists.
Not written, because it would need text or a run of Delphi: `latents/` (it holds all tokens of the corpus),
`log/hookpoint_firing_counts.pt`, `neighbours/`, `run_config.json`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from glossator.errors import UserError
from glossator.exports.context import ExportContext, ExportKind, ExportReport, FindEvidence
from glossator.exports.row_files import json_text
from glossator.exports.score_examples import ScoredExample, scored_examples
from glossator.exports.score_rows import ClassifierOutput, LabelSummary, ScoreDetails, SummaryScore
from glossator.exports.standing_labels import Tally
from glossator.probes.atomic_file import written_atomically
from glossator.records import Explanation, FeatureCard, Metric, Negatives, Score, ScoreMethod
from glossator.report.headline import USUAL_THRESHOLD, is_llm

SUMMARY = "glossator_labels.jsonl"
"""One line a label: who wrote it, the verdict, and every score with n, interval and baselines."""
LATENTS = "latents/, log/, neighbours/ and run_config.json, which need the corpus or a run of Delphi"
OTHER_SCORES = "scores that Delphi has no file for (they are in the summary)"
NO_ANSWERS = "scores whose single answers the ledger does not hold (they are in the summary)"
_SILENT_DISTANCE = -1.0
"""What Delphi writes for silent windows drawn at random (`latents/constructors.py:532`)."""
_FIRING_DISTANCE = 0.0
"""Delphi's is the quantile of the activation, which is not stored with our answers."""


class _ScoreFile(NamedTuple):
    scorer: str
    content: str


def write_delphi(
    folder: Path, cards: Iterable[FeatureCard], *, evidence: FindEvidence, context: ExportContext
) -> ExportReport:
    """Write the labels of `cards` that stand, and the answers behind their scores.

    Raises:
        UserError: the hookpoint cannot be part of a file's name.
        StorageError: a file cannot be written.
    """
    hookpoint = _checked(context.delphi_hookpoint)
    tally, files = Tally(), Counter[str]()
    with written_atomically(folder / SUMMARY) as summary:
        for card in cards:
            label = tally.count(card)
            if label is None:
                continue
            latent = f"{hookpoint}_latent{card.feature.index}"
            summary.write(json_text(_summary(latent, card, label), ascii_only=False).encode() + b"\n")
            _write(folder, "explanations", latent, json.dumps(label.text, ensure_ascii=False), files)
            for scorer, examples in _score_files(card, evidence, tally.left_out):
                _write(folder, f"scores/{scorer}", latent, examples, files)
    left_out = tally.abstained | dict(tally.left_out) | {LATENTS: 0}
    return ExportReport(
        kind=ExportKind.DELPHI, features=tally.features, labels=tally.labels,
        files=(SUMMARY, *(f"{name}/ ({n} files)" for name, n in sorted(files.items()))),
        rows=dict(sorted(files.items())), left_out=left_out,
    )  # fmt: skip


def _score_files(card: FeatureCard, find: FindEvidence, left_out: Counter[str]) -> Iterator[_ScoreFile]:
    """The score files of `card`; what has none is counted."""
    for score in card.scores:
        if score.value is None:
            continue
        scorer = scorer_name(score)
        examples = None if scorer is None else scored_examples(score, find)
        if scorer is None or examples is None:
            left_out[OTHER_SCORES if scorer is None else NO_ANSWERS] += 1
        else:
            answers = ",".join(json_text(_classifier_output(one)) for one in examples)
            yield _ScoreFile(scorer, f"[{answers}]")


def scorer_name(score: Score) -> str | None:
    """The folder of `scores/` that holds such a score; None if there is none."""
    if score.metric is not Metric.BALANCED_ACCURACY or abs(score.threshold - USUAL_THRESHOLD) > 1e-9:
        return None
    if (score.method, score.negatives) == (ScoreMethod.DETECTION, Negatives.RANDOM):
        return "detection" if is_llm(score.reader) else f"glossator_{score.reader}_detection"
    if (score.method, score.negatives) == (ScoreMethod.FUZZING, Negatives.MARKED_SILENT):
        return "fuzz"
    return None


def _classifier_output(one: ScoredExample) -> ClassifierOutput:
    return ClassifierOutput(
        str_tokens=(),
        activations=(),
        distance=_FIRING_DISTANCE if one.fires else _SILENT_DISTANCE,
        activating=one.fires,
        prediction=one.said,
        probability=one.probability,
        correct=None if one.said is None else one.said == one.fires,
    )


def _summary(latent: str, card: FeatureCard, label: Explanation) -> LabelSummary:
    return LabelSummary(
        latent=latent,
        feature=str(card.feature),
        label=label.text,
        author=label.author,
        method=label.method.value,
        verdict=card.verdict.kind.value,
        reason=card.verdict.reason,
        scores=tuple(SummaryScore(value=s.value, details=ScoreDetails.of(s)) for s in card.scores),
    )


def _write(folder: Path, kind: str, latent: str, content: str, files: Counter[str]) -> None:
    """`content` as `orjson.dumps` writes it: UTF-8, no spaces. The folder is moved in place as a whole."""
    path = folder / kind / f"{latent}.txt"
    if not files[kind]:
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(errors="replace"))
    files[kind] += 1


def _checked(hookpoint: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,120}", hookpoint):
        raise UserError(
            f"the hookpoint {hookpoint!r} cannot be part of a file's name: give the module's name with "
            "letters, digits, dots, dashes and underscores, such as layers.12.mlp"
        )
    return hookpoint
