from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from glossator.agents.scorers import FeatureNeighbours, ScoringRoom, ScoringSettings, score_explanation
from glossator.agents.scorers.donors import choose_donors
from glossator.agents.scorers.predicate_score import NEVER_FIRES, NEVER_HOLDS, NO_PREDICATE, WEAK
from glossator.agents.scorers.window_scores import NO_FIRING, NO_SILENT
from glossator.probes.split_view import ArrayFirings, ExploreView, Firings, SealedView, ValidateView
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.records import (
    BaselineName,
    Explanation,
    FeatureRef,
    Metric,
    Negatives,
    Predicate,
    Score,
    ScoreMethod,
    Split,
    TokenIn,
    TokenMatches,
)

N_WORDS, LENGTH = 300, 64
WORDS = ("<s>", *(f" w{i}" for i in range(1, N_WORDS)))
VOCABULARY = Vocabulary(WORDS, frozenset({0}))


class BagOfWords:
    """Vectors of word counts."""

    name = "bag-of-words"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        place = {w.strip(): i for i, w in enumerate(WORDS)}
        rows = np.full((len(texts), len(WORDS)), 1e-3, dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                if word in place:
                    row[place[word]] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def token_text(seed: int, rows: int = 150) -> TokenText:
    ids = np.random.default_rng(seed).integers(1, N_WORDS, size=rows * LENGTH).astype(np.int32)
    ids[::LENGTH] = 0
    infos = [DocumentInfo(f"s{seed}d{i}", "", "") for i in range(rows)]
    return TokenText(ids, np.arange(0, rows * LENGTH + 1, LENGTH), np.arange(rows), infos, VOCABULARY)


def source(text: TokenText) -> ArrayFirings:
    """0: w1; 1: w2 strongly, w3 weakly; 2: w4, mostly; 3: dead; 4: always on; 5: w1 in late documents."""
    ids, n = text.ids, len(text)
    dense = np.zeros((6, n), dtype=np.float32)
    dense[0][ids == 1] = 2.0
    dense[1][ids == 2], dense[1][ids == 3] = 1.0, 0.1
    dense[2][ids == 4] = 1.0
    dense[2][np.flatnonzero(ids == 4)[::4]] = 0.0
    dense[4] = 1.0
    dense[5][(ids == 1) & (np.arange(n) > n // 2)] = 1.0
    dense[:, ~text.eligible] = 0
    return ArrayFirings(text, [Firings(np.flatnonzero(d), d[d > 0]) for d in dense])


def room(embedder: BagOfWords | None = None, sealed_rows: int = 150) -> ScoringRoom:
    views = ExploreView(source(token_text(1))), ValidateView(source(token_text(2)))
    sealed = SealedView(source(token_text(3, sealed_rows)))
    return ScoringRoom(
        *views, sealed, index_identity="test", embedder=embedder, settings=ScoringSettings(draws=300)
    )


def explain(feature: int, text: str, predicate: Predicate | None, author: str = "test") -> Explanation:
    ref = FeatureRef(subject="s", dictionary="d", index=feature)
    return Explanation.of(ref, author, text, predicate)


def words(feature: int, *names: str) -> Explanation:
    return explain(feature, " ".join(names), TokenIn(tokens=tuple(f" {n}" for n in names)))


OTHERS = [words(100 + i, f"w{20 + i}", f"w{50 + i}") for i in range(12)]


def pick(scores: Sequence[Score], method: ScoreMethod, reader: str, **wanted: object) -> Score:
    found = [
        s
        for s in scores
        if s.method is method and s.reader == reader and all(getattr(s, k) == v for k, v in wanted.items())
    ]
    assert len(found) == 1, f"{len(found)} scores of {method} by {reader} with {wanted}"
    return found[0]


def test_a_perfect_predicate_scores_one_everywhere() -> None:
    scores = score_explanation(room(), words(0, "w1"), OTHERS).scores
    assert len(scores) == 8
    for score in scores:
        if score.negatives is not Negatives.HARD:
            assert score.value == pytest.approx(1.0)
            assert score.interval is not None
            assert 0.8 < score.interval.low < 1.0 or score.interval.low < score.interval.high
        assert score.split is Split.SEALED
    detection = pick(scores, ScoreMethod.DETECTION, "predicate", negatives=Negatives.RANDOM)
    assert detection.n_negative == 100
    assert detection.n_positive > 15
    # It fires on every w1, so no silent window has the token, and there are no neighbours.
    hard = pick(scores, ScoreMethod.DETECTION, "predicate", negatives=Negatives.HARD)
    assert (hard.value, hard.interval, hard.n_positive) == (None, None, 0)
    assert list(hard.unscored) == [NO_SILENT]


def test_predicate_numbers_by_hand() -> None:
    """Predicate w2 or w5 on a feature that fires on w2 strongly and on w3 weakly."""
    here = room()
    ids = here.sealed.text.ids
    n2, n3, n5 = (int((ids == i).sum()) for i in (2, 3, 5))
    scores = score_explanation(here, words(1, "w2", "w5"), OTHERS).scores
    strong = {s.metric: s for s in scores if s.method is ScoreMethod.PREDICATE and s.threshold == 0.3}
    every = {s.metric: s for s in scores if s.method is ScoreMethod.PREDICATE and s.threshold == 0.0}
    assert strong[Metric.PRECISION].value == pytest.approx(n2 / (n2 + n5))
    assert strong[Metric.RECALL].value == pytest.approx(1.0)
    assert strong[Metric.F1].unscored == {WEAK: n3}
    assert strong[Metric.F1].n_positive == n2
    assert every[Metric.RECALL].value == pytest.approx(n2 / (n2 + n3))
    assert every[Metric.F1].value == pytest.approx(2 * n2 / (2 * n2 + n5 + n3))
    assert every[Metric.F1].unscored == {}
    eligible = int(here.sealed.text.eligible.sum())
    assert every[Metric.F1].n_negative == eligible - n2 - n3
    for score in (*strong.values(), *every.values()):
        assert score.value is not None
        assert score.interval is not None
        assert score.interval.low <= score.value <= score.interval.high
        empty = next(b for b in score.baselines if b.name is BaselineName.EMPTY)
        if score.metric is Metric.RECALL:
            assert empty.value == 1.0
        if score.metric is Metric.PRECISION and score.threshold == 0.0:
            assert empty.value == pytest.approx((n2 + n3) / eligible)


def test_weak_firings_inside_the_predicate_are_not_false_positives() -> None:
    scores = score_explanation(room(), words(1, "w2", "w3"), OTHERS).scores
    strong = pick(scores, ScoreMethod.PREDICATE, "predicate", metric=Metric.PRECISION, threshold=0.3)
    assert strong.value == pytest.approx(1.0)


def test_hard_negatives_punish_a_label_that_only_names_the_token() -> None:
    """Feature 5 fires on w1 in half of the documents; "w1" cannot tell those from the others."""
    scores = score_explanation(room(), words(5, "w1"), OTHERS).scores
    random = pick(scores, ScoreMethod.DETECTION, "predicate", negatives=Negatives.RANDOM)
    hard = pick(scores, ScoreMethod.DETECTION, "predicate", negatives=Negatives.HARD)
    assert random.value is not None
    assert random.value > 0.85
    assert hard.value == pytest.approx(0.5)
    assert hard.interval is not None
    assert hard.interval.low < 0.5 < hard.interval.high


def test_the_embedder_reads_labels_without_a_predicate() -> None:
    here = room(BagOfWords())
    scores = score_explanation(
        here, explain(0, "w1 w1", None), OTHERS, neighbours=FeatureNeighbours((1, 2))
    ).scores
    assert len(scores) == 12
    for score in scores:
        if score.reader == "predicate":
            assert (score.value, score.interval) == (None, None)
            assert NO_PREDICATE in score.unscored
    for negatives in (Negatives.RANDOM, Negatives.HARD):
        detection = pick(
            scores, ScoreMethod.DETECTION, "embedder", negatives=negatives, metric=Metric.BALANCED_ACCURACY
        )
        area = pick(scores, ScoreMethod.EMBEDDING, "embedder", negatives=negatives, metric=Metric.AUC)
        assert detection.value is not None
        assert detection.value > 0.9
        assert area.value == pytest.approx(1.0, abs=0.02)
        assert detection.n_positive <= here.settings.n_embedded
        (shuffled,) = (b for b in detection.baselines if b.name is BaselineName.SHUFFLED)
        assert shuffled.value == pytest.approx(0.5, abs=0.12)


def test_the_embedders_threshold_never_comes_from_sealed() -> None:
    """With sealed firings moved elsewhere, the answers to the same sealed windows must not change."""
    here = room(BagOfWords())
    tuning = here.tuning_examples(FeatureRef(subject="s", dictionary="d", index=0))
    documents = {here.validate.text.documents[int(i)].id for i in tuning.windows.document}
    assert all(d.startswith("s2") for d in documents)
    assert int(tuning.firing.sum()) == here.settings.n_tuning


def test_the_pools_are_embedded_once_for_all_features() -> None:
    class Counting(BagOfWords):
        texts = 0

        def embed(self, texts: Sequence[str]) -> np.ndarray:
            self.texts += len(texts)
            return super().embed(texts)

    counting = Counting()
    here = room(counting)
    score_explanation(here, words(0, "w1"), OTHERS)
    first = counting.texts
    score_explanation(here, words(1, "w2"), OTHERS)
    sizes = here.settings
    assert first >= 0.9 * (sizes.pool + sizes.tuning_pool), "clipped windows may be the same text"
    assert counting.texts - first <= 2 * sizes.n_embedded + sizes.n_tuning + 8 + 1


@pytest.mark.parametrize("embedder", [None, BagOfWords()])
def test_features_that_cannot_be_scored_say_why(embedder: BagOfWords | None) -> None:
    here = room(embedder)
    dead = score_explanation(here, words(3, "w1"), OTHERS).scores
    assert all(s.value is None and s.interval is None and s.unscored for s in dead)
    assert {r for s in dead for r in s.unscored} <= {NO_FIRING, NEVER_FIRES}
    always = score_explanation(here, words(4, "w1"), OTHERS).scores
    windows = [s for s in always if s.method is not ScoreMethod.PREDICATE]
    assert all(s.value is None for s in windows)
    nowhere = score_explanation(here, explain(0, "never", TokenIn(tokens=(" absent",))), OTHERS).scores
    precision = pick(nowhere, ScoreMethod.PREDICATE, "predicate", metric=Metric.PRECISION, threshold=0.3)
    assert precision.value is None
    assert NEVER_HOLDS in precision.unscored
    f1 = pick(nowhere, ScoreMethod.PREDICATE, "predicate", metric=Metric.F1, threshold=0.3)
    assert f1.value == 0.0
    assert f1.interval is not None
    assert f1.interval.high > 0


def test_baselines_accompany_every_score() -> None:
    analyst = words(2, "w4")
    scores = score_explanation(room(BagOfWords()), words(2, "w4", "w9"), OTHERS, analyst=analyst).scores
    for score in scores:
        names = [b.name for b in score.baselines]
        assert names == [BaselineName.SHUFFLED, BaselineName.EMPTY, BaselineName.EMBEDDED_ANALYST]
        if score.method is not ScoreMethod.PREDICATE and score.value is not None:
            empty = score.baselines[1]
            assert empty.value == 0.5
            assert empty.n_positive is None, "a coin needs no examples"
        if score.value is not None:
            n = (score.n_positive, score.n_negative)
            assert {(b.n_positive, b.n_negative) for b in score.baselines[::2] if b.value is not None} == {n}
    own = score_explanation(room(), analyst, OTHERS, analyst=analyst).scores
    assert all(BaselineName.EMBEDDED_ANALYST not in [b.name for b in s.baselines] for s in own)
    better = pick(scores, ScoreMethod.PREDICATE, "predicate", metric=Metric.F1, threshold=0.3)
    assert better.value is not None
    assert better.baselines[2].value is not None
    assert better.baselines[2].value > better.value


def test_all_explanations_of_a_feature_are_read_on_the_same_examples() -> None:
    here = room(BagOfWords())
    first = score_explanation(here, words(0, "w1"), OTHERS)
    second = score_explanation(here, words(0, "w8"), OTHERS)
    for a, b in zip(first.evidence, second.evidence, strict=True):
        assert isinstance(a.payload, dict)
        assert isinstance(b.payload, dict)
        assert a.payload.get("positions") == b.payload.get("positions")
        assert a.id != b.id
    again = score_explanation(room(BagOfWords()), words(0, "w1"), OTHERS)
    assert again == first


def test_evidence_holds_outcomes_and_no_sealed_text() -> None:
    here = room(BagOfWords())
    scored = score_explanation(here, words(0, "w1"), OTHERS)
    assert {s.evidence for s in scored.scores} == {e.id for e in scored.evidence}
    for evidence in scored.evidence:
        assert not [w for w in WORDS[1:] if w.strip() in json.dumps(evidence.payload).split('"')]
    (detection,) = (
        e
        for e in scored.evidence
        if e.recipe["score"] == "detection"
        and e.recipe["reader"] == "predicate"
        and e.recipe["negatives"] == "random"
    )
    assert isinstance(detection.payload, dict)
    assert detection.payload["answers"] == detection.payload["fires"]
    score = pick(scored.scores, ScoreMethod.DETECTION, "predicate", negatives=Negatives.RANDOM)
    positions = detection.payload["positions"]
    assert isinstance(positions, list)
    assert score.n_positive + score.n_negative == len(positions)


def test_donors_are_of_other_features_and_say_something_else() -> None:
    mine = words(0, "w1")
    same_feature, same_rule = words(0, "w7"), explain(9, "another text", mine.predicate)
    chosen = choose_donors(mine, [same_feature, same_rule, *OTHERS], 10)
    assert len(chosen) == 10
    assert {c.feature.index for c in chosen} <= {o.feature.index for o in OTHERS}
    assert chosen == choose_donors(mine, [*reversed(OTHERS), same_rule], 10)
    decoys = choose_donors(mine, [same_feature, OTHERS[0]], 10)
    assert len(decoys) >= 9
    assert all(d.author == "decoy" and d.predicate is not None for d in decoys)


def test_predicates_are_evaluated_once_per_split() -> None:
    calls: list[str] = []

    def counted(predicate: Predicate, text: TokenText) -> np.ndarray:
        calls.append(str(predicate))
        return np.zeros(len(text), dtype=bool)

    views = ExploreView(source(token_text(1))), ValidateView(source(token_text(2)))
    here = ScoringRoom(*views, SealedView(source(token_text(3))), index_identity="t", evaluate=counted)
    for feature in range(3):
        score_explanation(here, words(feature, f"w{feature + 1}"), OTHERS)
    assert len(calls) == len(set(calls)) == 3 + 10


def test_a_bad_pattern_is_an_error_that_names_it() -> None:
    from glossator.errors import UserError

    with pytest.raises(UserError, match="unclosed"):
        score_explanation(room(), explain(0, "x", TokenMatches(pattern="(unclosed")), OTHERS)
