"""Experiments are judged and beliefs computed by code: outcomes, quantiles, refusals, numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from jaxtyping import Float

from glossator.agents.firing_facts import STRONG
from glossator.agents.investigator.admitting import admit
from glossator.agents.investigator.beliefs import NOISE, REFUTED_BELOW, Tally, believe
from glossator.agents.investigator.corpus_fit import CorpusFit
from glossator.agents.investigator.experiments import (
    LONGEST_TEXT,
    RanExperiment,
    accept,
    outcome_of,
    run_experiments,
)
from glossator.agents.investigator.proposer import Proposal, TestBatch, TextTest
from glossator.agents.investigator.tested_tokens import TestedTexts
from glossator.probes.text_activations import TextActivations, TextProfile
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.records import (
    AllOf,
    Expectation,
    Experiment,
    ExperimentKind,
    FeatureRef,
    Hypothesis,
    HypothesisOrigin,
    Not,
    Outcome,
    Position,
    Preceded,
    Predicate,
    TokenIn,
    TokenMatches,
    WordIn,
)
from tests.agents.planted_index import PlantedIndex, planted_index

SEA = 1
REF = FeatureRef(subject="planted", dictionary="planted", index=SEA)
FIRES, SILENT = Expectation.FIRES, Expectation.SILENT


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> PlantedIndex:
    return planted_index(tmp_path_factory.mktemp("planted"))


class Counting(TextActivations):
    """Counts the texts that it runs."""

    ran = 0

    def profiles(self, feature: int, texts: Sequence[str]) -> list[TextProfile]:
        self.ran += len(texts)
        return super().profiles(feature, texts)


@pytest.fixture
def texts(planted: PlantedIndex) -> TestedTexts:
    return TestedTexts(Counting(planted.subject, planted.dictionary), SEA, planted.activations.explore.text)


@pytest.fixture(scope="module")
def corpus(planted: PlantedIndex) -> CorpusFit:
    return CorpusFit(planted.activations.explore, SEA)


def claim(text: str, predicate: Predicate | None = None) -> Hypothesis:
    return Hypothesis.of(REF, text, predicate, author="me", origin=HypothesisOrigin.PROPOSED)


def batch(of: Hypothesis, *tests: tuple[str, Expectation]) -> TestBatch:
    return TestBatch(of.id, ExperimentKind.TEXTS, tuple(TextTest(t, e) for t, e in tests))


def ran(texts: TestedTexts, corpus: CorpusFit, *batches: TestBatch) -> list[RanExperiment]:
    return run_experiments(batches, REF, texts, corpus, "index")


SHIP = claim("ship", TokenIn(tokens=(" ship",)))
ALL = claim("the sea", WordIn(words=("ship", "harbour", "sail")))
HOUSE = claim("houses", WordIn(words=("house",)))
SAID = claim("things at sea")


def test_texts_are_judged_by_the_features_own_scale(texts: TestedTexts, corpus: CorpusFit) -> None:
    (one,) = ran(texts, corpus, batch(SHIP, ("they see ship", FIRES), ("a ship", SILENT), ("a house", FIRES)))
    first, second, third = one.experiment.tested
    assert [t.outcome for t in one.experiment.tested] == [Outcome.FIRES, Outcome.FIRES, Outcome.SILENT]
    assert (one.experiment.decided, one.experiment.right) == (3, 1)
    assert (first.token, third.token) == (" ship", "")
    assert third.quantile == 0
    share = float(np.mean(corpus.activations < second.activation))
    assert second.quantile == pytest.approx(share, abs=1e-3)
    assert one.experiment.threshold == pytest.approx(STRONG * corpus.maximum)
    assert Experiment.model_validate(one.evidence.payload) == one.experiment
    assert one.evidence.recipe["texts"] == ["they see ship", "a ship", "a house"]
    assert one.evidence.recipe["expectations"] == ["fires", "silent", "fires"]


def test_weak_firings_speak_for_neither_side() -> None:
    assert [outcome_of(a, 0.3) for a in (0.0, 0.3, 0.31)] == [Outcome.SILENT, Outcome.WEAK, Outcome.FIRES]


def test_each_text_is_run_once(texts: TestedTexts, corpus: CorpusFit) -> None:
    first = ran(texts, corpus, batch(SHIP, ("a ship", FIRES)), batch(ALL, ("a ship", FIRES)))
    again = ran(texts, corpus, batch(SHIP, ("a ship", FIRES)))
    assert texts._activations.ran == 1  # type: ignore[attr-defined]
    assert again[0].evidence == first[0].evidence


def test_unfit_texts_are_refused_with_a_reason() -> None:
    long = "x" * (LONGEST_TEXT + 1)
    one = batch(
        SHIP,
        ("", FIRES),
        ("\ud800", FIRES),
        (long, FIRES),
        ("a", FIRES),
        ("a", SILENT),
        ("b", FIRES),
        ("b", FIRES),
    )
    other = batch(ALL, ("b", FIRES), ("c", FIRES), ("d", FIRES), ("known", SILENT), ("e", SILENT))
    taken = accept([one, other], frozenset({"known"}), most=4, room=2)
    assert [[t.text for t in b.tests] for b in taken.batches] == [["b"], ["b", "c", "known"]]
    assert taken.new == 2
    assert taken.refused == {
        "empty text": 1,
        "not valid Unicode": 1,
        f"text longer than {LONGEST_TEXT} characters": 1,
        "predicted to fire and to be silent": 2,
        "the same text twice in one experiment": 1,
        "limit on texts reached": 1,
        "more texts than a round takes": 1,
    }


def test_strange_texts_are_only_data(texts: TestedTexts, corpus: CorpusFit) -> None:
    strange = ["\x00 ship", "<|end|> ship|C|1", "🚢 ship {{ x }}", "\n# system\nanswer 1 ship", "ship"]
    (one,) = ran(texts, corpus, batch(SHIP, *((t, FIRES) for t in strange)))
    assert [t.outcome.value for t in one.experiment.tested] == ["fires"] * 4 + ["silent"]


@pytest.mark.parametrize(
    ("predicate", "held"),
    [
        (TokenIn(tokens=(" ship",)), [True, True, False, False]),
        (WordIn(words=("ship",)), [True, True, False, False]),
        (WordIn(words=("they",)), [False, False, False, True]),
        (TokenMatches(pattern="hou"), [False, False, True, False]),
        (AllOf(parts=(TokenIn(tokens=(" ship",)), Not(part=Preceded(by=TokenIn(tokens=(" a",)))))),
         [True, False, False, False]),
        (Position(at_least=3), [False, False, False, True]),
    ],
)  # fmt: skip
def test_a_predicate_holds_where_a_token_that_counts_fits(
    texts: TestedTexts, predicate: Predicate, held: list[bool]
) -> None:
    tried = ["they see ship", "see a ship", "a house", "ship or they by"]
    assert texts.holds(predicate, tried).tolist() == held


class OneToken:
    """Reads every text as one row of whole words."""

    def __call__(self, feature: int, texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
        return np.ones(len(texts), np.float32)

    def profiles(self, feature: int, texts: Sequence[str]) -> list[TextProfile]:
        return [TextProfile(tuple(t.split()), np.ones(len(t.split()), np.float32)) for t in texts]


@pytest.mark.parametrize("prefix", [False, True])
def test_first_tokens_count_only_after_a_row_prefix(prefix: bool) -> None:
    """Where the index's rows begin with a special token, a text's first token is not the row's first."""
    words = ("<s>", "ship", "sails")
    ids = np.array([0, 1, 2] * 2 if prefix else [1, 2, 2] * 2, dtype=np.int32)
    like = TokenText(
        ids, np.array([0, 3, 6]), np.zeros(2, np.int32), [DocumentInfo("d", "", "")],
        Vocabulary(words, frozenset({0})),
    )  # fmt: skip
    texts = TestedTexts(OneToken(), 0, like)
    assert texts.holds(TokenIn(tokens=("ship",)), ["ship sails", "the ship"]).tolist() == [prefix, True]
    assert texts.holds(Position(at_least=0, at_most=1), ["ship"]).tolist() == [prefix]


def test_the_true_claim_gains_and_the_false_ones_lose(texts: TestedTexts, corpus: CorpusFit) -> None:
    tests = (("see a ship", FIRES), ("see a sail", SILENT), ("a harbour", SILENT), ("a house", SILENT))
    experiments = [r.experiment for r in ran(texts, corpus, batch(SHIP, *tests))]
    made = believe([SHIP, ALL, HOUSE, SAID], experiments, texts, corpus)
    ranked = {b.hypothesis: b for b in made.ranked}
    assert made.ranked[0].hypothesis == ALL.id
    assert ranked[ALL.id].probability > 0.9
    assert ranked[SHIP.id].log_odds < 0
    assert ranked[HOUSE.id].log_odds < REFUTED_BELOW
    assert made.refuted == (HOUSE.id,)
    assert made.ranked[-1].hypothesis == HOUSE.id
    assert ranked[HOUSE.id].probability == 0
    assert (ranked[SAID.id].n, ranked[SAID.id].log_odds) == (0, pytest.approx(0.0))
    assert ranked[ALL.id].n == 4
    total = made.none_of_them + sum(b.probability for b in made.ranked)
    assert total == pytest.approx(1.0)


def test_what_was_only_said_answers_for_its_own_texts(texts: TestedTexts, corpus: CorpusFit) -> None:
    own = batch(SAID, ("a ship", FIRES), ("a house", SILENT))
    others = batch(SHIP, ("a sail", SILENT), ("see a man", FIRES))
    experiments = [r.experiment for r in ran(texts, corpus, own, others)]
    (belief,) = believe([SAID], experiments, texts, corpus).ranked
    assert belief.n == 2
    expected = math.log(np.mean([(1 - e) ** 2 for e in NOISE]) / 0.25)
    assert belief.log_odds == pytest.approx(expected)


def test_a_text_counts_once_and_order_does_not_matter(texts: TestedTexts, corpus: CorpusFit) -> None:
    one = [
        r.experiment
        for r in ran(texts, corpus, batch(SHIP, ("a ship", FIRES)), batch(ALL, ("a sail", FIRES)))
    ]
    twice = believe([SHIP, ALL], [*one, *one], texts, corpus)
    assert twice == believe([SHIP, ALL], one[::-1], texts, corpus)


def test_an_imperfect_claim_outlives_chance() -> None:
    """Real features are explained to seven tenths; half right is no claim."""
    assert Tally(21, 9, 30).log_odds > 0
    assert Tally(20, 20, 40).log_odds < REFUTED_BELOW
    assert Tally(30, 0, 30).log_odds > Tally(21, 9, 30).log_odds


def test_proposals_are_checked_and_doubles_are_one(corpus: CorpusFit) -> None:
    sea = WordIn(words=("ship", "harbour", "sail"))
    proposals = [
        Proposal("the sea", sea),
        Proposal("ships and so on", WordIn(words=("sail", "harbour", "ship"))),
        Proposal("another thing", TokenMatches(pattern="(?=x)")),
        Proposal("houses", WordIn(words=("house",))),
        Proposal("Another  Thing", None),
        Proposal(" ", None),
        Proposal("x" * 301, sea),
        Proposal("half a pair \udc00", sea),
    ]
    made = admit(proposals, [], REF, corpus, author="me", origin=HypothesisOrigin.PROPOSED)
    assert [(h.text, h.predicate is None) for h in made.hypotheses] == [
        ("the sea", False), ("another thing", True), ("houses", True),
    ]  # fmt: skip
    assert made.dropped == {
        "said before": 2,
        "predicate that cannot be run": 1,
        "predicate that fits nothing": 1,
        "claim empty, too long or not valid Unicode": 3,
    }
    again = admit(proposals[:1], made.hypotheses, REF, corpus, author="you", origin=HypothesisOrigin.REFINED)
    assert not again.hypotheses
