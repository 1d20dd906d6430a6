"""The shuffled baseline sits at chance: on average over features, and within its own intervals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from glossator.agents.scorers import ScoringRoom, ScoringSettings, score_explanation
from glossator.probes.split_view import ArrayFirings, ExploreView, Firings, SealedView, ValidateView
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.records import BaselineName, Explanation, FeatureRef, Negatives, Score, ScoreMethod, TokenIn

N_FEATURES, N_WORDS, LENGTH, ROWS = 20, 400, 64, 400
WORDS = ("<s>", *(f" w{i}" for i in range(1, N_WORDS)))
RULES = np.random.default_rng(7).permutation(np.arange(1, N_WORDS))[: 4 * N_FEATURES].reshape(N_FEATURES, 4)


class BagOfWords:
    name = "bag-of-words"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        place = {w.strip(): i for i, w in enumerate(WORDS)}
        rows = np.full((len(texts), len(WORDS)), 1e-3, dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                if word in place:
                    row[place[word]] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def planted(seed: int) -> ArrayFirings:
    """Each feature fires on its four words, more strongly on some; on the last one only every second time."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, N_WORDS, size=ROWS * LENGTH).astype(np.int32)
    ids[::LENGTH] = 0
    infos = [DocumentInfo(f"d{i}", "", "") for i in range(ROWS // 2)]
    starts = np.arange(0, ROWS * LENGTH + 1, LENGTH)
    text = TokenText(
        ids, starts, np.repeat(np.arange(ROWS // 2), 2), infos, Vocabulary(WORDS, frozenset({0}))
    )
    features: list[Firings] = []
    for rule in RULES:
        fires = np.isin(ids, rule) & ~((ids == rule[3]) & (rng.random(len(ids)) < 0.5)) & text.eligible
        position = np.flatnonzero(fires)
        features.append(Firings(position, (0.5 + rng.random(len(position))).astype(np.float32)))
    return ArrayFirings(text, features)


@cache
def all_scores() -> tuple[tuple[Score, ...], ...]:
    room = ScoringRoom(
        ExploreView(planted(1)),
        ValidateView(planted(2)),
        SealedView(planted(3)),
        index_identity="planted",
        embedder=BagOfWords(),
        settings=ScoringSettings(draws=200),
    )
    labels = [
        Explanation.of(
            FeatureRef(subject="s", dictionary="d", index=i),
            "test",
            " ".join(WORDS[w].strip() for w in rule),
            TokenIn(tokens=tuple(WORDS[w] for w in rule)),
        )
        for i, rule in enumerate(RULES)
    ]
    return tuple(score_explanation(room, label, labels).scores for label in labels)


def chosen(method: ScoreMethod, reader: str, negatives: Negatives) -> list[Score]:
    wanted = (method, reader, negatives)
    return [s for scores in all_scores() for s in scores if (s.method, s.reader, s.negatives) == wanted]


@pytest.mark.parametrize("negatives", [Negatives.RANDOM, Negatives.HARD])
@pytest.mark.parametrize(
    ("method", "reader"),
    [
        (ScoreMethod.DETECTION, "predicate"),
        (ScoreMethod.DETECTION, "embedder"),
        (ScoreMethod.EMBEDDING, "embedder"),
    ],
)
def test_shuffled_explanations_sit_at_chance(method: ScoreMethod, reader: str, negatives: Negatives) -> None:
    scores = chosen(method, reader, negatives)
    assert len(scores) == N_FEATURES
    shuffled = [b for s in scores for b in s.baselines if b.name is BaselineName.SHUFFLED]
    values = [b.value for b in shuffled if b.value is not None]
    assert len(values) == N_FEATURES
    assert abs(float(np.mean(values)) - 0.5) <= 0.03
    covered = [b.interval is not None and b.interval.low <= 0.5 <= b.interval.high for b in shuffled]
    assert np.mean(covered) >= 0.9
    widths = [b.interval.high - b.interval.low for b in shuffled if b.interval is not None]
    assert np.median(widths) < 0.35, "an interval that covers everything shows nothing"


def test_true_explanations_do_not_sit_there() -> None:
    scores = chosen(ScoreMethod.DETECTION, "predicate", Negatives.RANDOM)
    values = [s.value for s in scores if s.value is not None]
    assert np.mean(values) > 0.9
    for score in scores:
        shuffled = next(b for b in score.baselines if b.name is BaselineName.SHUFFLED)
        assert score.interval is not None
        assert shuffled.interval is not None
        assert score.interval.low > shuffled.interval.high
