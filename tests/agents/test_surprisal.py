"""Surprisal with a model whose losses are known, and once with the real starter subject."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from glossator.agents.scorers.room import ScoringRoom
from glossator.agents.scorers.settings import ScoringSettings
from glossator.agents.scorers.surprisal import (
    NO_MODEL,
    PER_GROUP,
    neutral_announcement,
    surprisal_scores,
)
from glossator.agents.scorers.window_scores import NO_SILENT
from glossator.errors import AssetError
from glossator.probes.corpus import Corpus
from glossator.probes.planted_rules import TokenSetRule
from glossator.probes.planted_truth import PlantedSubject, planted_firings, planted_text
from glossator.probes.split_view import ExploreView, SealedView, ValidateView
from glossator.probes.subject import load_subject
from glossator.probes.text_losses import PrefixLosses
from glossator.records import BaselineName, Metric, Negatives, ScoreMethod
from glossator.starter_assets import asset_states, default_cache, starter_corpus_path, starter_subject_path
from tests.agents.planted_bench import (
    DEAD,
    SEA,
    SIBLING,
    asked_scores,
    baseline,
    ends_of,
    explained,
    named_words,
    value_of,
)


class WordLosses:
    """Each word that the prefix names makes a text cheaper; the rest is noise of text and prefix."""

    name = "words"

    def __init__(self) -> None:
        self.prefixes: list[str] = []

    def __call__(self, prefix: str, texts: Sequence[str]) -> np.ndarray:
        self.prefixes.append(prefix)
        named = named_words(prefix)
        saved = np.array([sum(w in named for w in text.split()) for text in texts])
        noise = [self._noise(text) + 0.2 * self._noise(prefix + text) for text in texts]
        return (4.0 + np.array(noise) - 0.3 * saved).astype(np.float32)

    def _noise(self, said: str) -> float:
        return int.from_bytes(hashlib.sha256(said.encode()).digest()[:4], "big") / 2**32


def test_the_truth_beats_a_sibling_and_a_shuffled_explanation_by_more_than_the_intervals() -> None:
    true = asked_scores(surprisal_scores, explained(SEA), losses=WordLosses()).scored
    sibling = asked_scores(surprisal_scores, explained(SIBLING, SEA), losses=WordLosses()).scored
    assert [s.score.negatives for s in true] == [Negatives.RANDOM, Negatives.HARD]
    for own, other in zip(true, sibling, strict=True):
        shuffled, empty = (baseline(own, n) for n in (BaselineName.SHUFFLED, BaselineName.EMPTY))
        assert shuffled is not None
        assert empty is not None
        assert value_of(own) > 0.9
        assert ends_of(own)[0] > value_of(other)
        assert ends_of(own)[0] > ends_of(shuffled)[1]
        assert (empty.value, *ends_of(empty)) == (0.5, 0.5, 0.5)
        assert (own.score.method, own.score.metric) == (ScoreMethod.SURPRISAL, Metric.AUC)
        assert (own.score.reader, own.score.prompt) == ("words", None)
        assert own.score.n_positive == PER_GROUP
    assert value_of(sibling[1]) < value_of(sibling[0])  # hard negatives hold the sibling's other words


def test_each_neutral_prefix_is_read_once_and_is_about_as_long() -> None:
    losses = WordLosses()
    asked_scores(surprisal_scores, explained(SEA), losses=losses)
    assert len(set(losses.prefixes)) == len(losses.prefixes)
    assert len(losses.prefixes) == 1 + 1 + 3
    for text in ("words: sea", "one two three four five", "word " * 10, "word " * 30, "word " * 60):
        own = f"The following text has this in it: {text}"
        longer = len(neutral_announcement(text).split()) / len(own.split())
        assert 0.5 < longer < 2


def test_the_analyst_is_read_on_the_same_windows() -> None:
    scored = asked_scores(
        surprisal_scores, explained(SIBLING, SEA), analyst=explained(SEA), losses=WordLosses()
    ).scored
    alone = asked_scores(surprisal_scores, explained(SEA), losses=WordLosses()).scored
    for with_analyst, own in zip(scored, alone, strict=True):
        analyst = baseline(with_analyst, BaselineName.EMBEDDED_ANALYST)
        assert analyst is not None
        assert analyst.value == own.score.value
        assert (analyst.n_positive, analyst.n_negative) == (own.score.n_positive, own.score.n_negative)


def test_a_model_that_does_not_listen_is_at_chance() -> None:
    def deaf(prefix: str, texts: Sequence[str]) -> np.ndarray:
        return np.full(len(texts), 3.0, np.float32)

    for scored in asked_scores(surprisal_scores, explained(SEA), losses=deaf).scored:
        assert value_of(scored) == 0.5
        assert scored.score.reader == "subject"


def test_windows_without_a_loss_are_counted() -> None:
    def partly(prefix: str, texts: Sequence[str]) -> np.ndarray:
        losses = WordLosses()(prefix, texts)
        losses[::10] = np.nan
        return losses

    random, _ = asked_scores(surprisal_scores, explained(SEA), losses=partly).scored
    assert sum(random.score.unscored.values()) == 5
    assert random.score.n_positive + random.score.n_negative == 2 * PER_GROUP - 5
    assert value_of(random) > 0.9


def test_without_a_model_or_a_firing_there_is_no_value() -> None:
    for scored in asked_scores(surprisal_scores, explained(SEA)).scored:
        assert scored.score.value is None
        assert list(scored.score.unscored) == [NO_MODEL]
    losses = WordLosses()
    for scored in asked_scores(surprisal_scores, explained("words: never", DEAD), losses=losses).scored:
        assert scored.score.value is None
        assert list(scored.score.unscored) == ["no window fires above the threshold"]
    assert losses.prefixes == []


def test_evidence_holds_no_text() -> None:
    for scored in asked_scores(surprisal_scores, explained(SEA), losses=WordLosses()).scored:
        assert "barn" not in scored.evidence.model_dump_json()


MUSIC = ("music", "song", "songs", "piano", "violin", "orchestra", "singer", "concert", "jazz", "opera")


def room_of_english() -> ScoringRoom:
    """A planted feature that fires on words of music, over the starter corpus."""
    texts = [d.text for d in Corpus(str(starter_corpus_path())) if d.genre not in ("code", "law")][:240]
    rule = TokenSetRule(kind="token_set", name="music", tokens=tuple(f" {w}" for w in MUSIC))
    subject = PlantedSubject.over(texts, (rule,))
    third = len(texts) // 3
    parts = (texts[i : i + third] for i in (0, third, 2 * third))
    explore, validate, sealed = (planted_firings(subject, planted_text(subject, part)) for part in parts)
    return ScoringRoom(
        ExploreView(explore),
        ValidateView(validate),
        SealedView(sealed),
        index_identity="english",
        settings=ScoringSettings(n_firing=12, n_random=12, n_hard=0, draws=200),
    )


def starter_losses() -> PrefixLosses:
    """Of the real starter subject; tests never fetch it."""
    cache = Path(os.environ.get("GLOSSATOR_CACHE", default_cache()))
    missing = [s.name for s in asset_states(cache) if not s.present]
    if missing:
        raise AssetError(f"missing starter assets {missing}: run `make assets` first")
    return PrefixLosses(load_subject(str(starter_subject_path(cache)), cache=cache / "converted"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_model_expects_what_a_true_label_announces() -> None:
    losses = starter_losses()
    others = ("court cases: judges, lawyers, appeals", "farming: wheat, cattle, fields", "cars and traffic")
    donors = tuple(explained(text, i) for i, text in enumerate(others, 1))
    true = explained("music: orchestras, songs, pianos and singers", 0)
    random, hard = asked_scores(
        surprisal_scores, true, donors=donors, losses=losses, room=room_of_english()
    ).scored
    shuffled = baseline(random, BaselineName.SHUFFLED)
    assert shuffled is not None
    assert shuffled.value is not None
    assert random.score.reader == losses.name
    assert ends_of(random)[0] > 0.5
    assert ends_of(random)[0] > shuffled.value
    assert list(hard.score.unscored) == [NO_SILENT]
