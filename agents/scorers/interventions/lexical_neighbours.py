"""The lexical-neighbour test: whether a feature follows the meaning that its label names, or letters.

"When the Coffee Feature Activates on Coffins" is the failure that is looked for: a label says "coffee",
and the feature fires on everything that begins with "cof". Words that share letters with the label's
words but neither their meaning nor the label are looked up in `sealed`, and put into short sentences
where they are too seldom. The value is how much more often than other words they fire the feature,
relative to the label's own words: 0 for a feature of meaning, 1 for one of letters. A label that claims
letters ("words starting with cof") holds on such words itself, so they do not count against it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from glossator.agents.scorers.examples import seed_of
from glossator.agents.scorers.interventions.checked import Checked, Finding, checked
from glossator.agents.scorers.interventions.concept_words import TestWords, choose_test_words
from glossator.agents.scorers.interventions.word_neighbours import Similarity
from glossator.agents.scorers.interventions.word_occurrences import occurrences
from glossator.agents.scorers.interventions.word_trials import Carrier, WordTrials, corpus_trials
from glossator.agents.scorers.llm_bench import Activate
from glossator.agents.scorers.room import ScoringRoom
from glossator.probes.intervals import Ends
from glossator.records import Explanation, Interval

NAME = "lexical neighbours"
BOUND = 0.25
"""Most that lexical neighbours may fire, of what the label's own words do. Pieces of words are tokens, so
few features are quite free of letters; below a quarter, meaning speaks four times as loud."""
MOST = 120
"""Occurrences of each kind of word."""
FEWEST = 8
"""Places below which a rate is not taken."""
ENOUGH = 40
"""Places of lexical neighbours in the text above which no sentences are made."""
_SELDOM = 3
"""A word found fewer times is put into sentences."""
_MOST_CARRIED, _FILLERS = 24, 8
LEAST_OWN = 0.1
"""How much more often than other words the label's own words must fire for a comparison."""


class _Trials(NamedTuple):
    concept: WordTrials
    lexical: WordTrials
    semantic: WordTrials
    control: WordTrials
    sentences: tuple[str, ...]


def lexical_neighbours(
    room: ScoringRoom,
    explanation: Explanation,
    activate: Activate | None = None,
    similarity: Similarity | None = None,
) -> Checked:
    """Whether the feature fires on words that only look like the label's.

    Passed where the whole interval lies below `BOUND`; failed where the value does not, or where most of
    one word's neighbours fire; undecided (None) where there are too few places to tell.

    Args:
        room: the splits.
        explanation: the label.
        activate: runs texts through the subject; without it rare words are not put into sentences.
        similarity: how near words are in meaning (`embedding_similarity`); without one, only words that
            the label holds on and forms of its words are taken to share meaning.

    Raises:
        UserError: the predicate cannot be evaluated.
    """
    words = choose_test_words(room, explanation, similarity)
    recipe = {
        "bound": BOUND,
        "most": MOST,
        "sentences": activate is not None,
        "by_meaning": similarity is not None,
    }
    reason = None
    if not words.concept:
        reason = "the label is about no words that the feature fires on"
    elif not words.lexical:
        reason = f"no other word of the text shares letters with {_listed(words.concept)} but not meaning"
    if reason is not None:
        return checked(room, explanation, NAME, BOUND, Finding.none(reason), recipe, _payload(words, None))
    trials = _trials(room, explanation, words, activate)
    finding = _finding(words, trials)
    return checked(room, explanation, NAME, BOUND, finding, recipe, _payload(words, trials))


def _trials(
    room: ScoringRoom, explanation: Explanation, words: TestWords, activate: Activate | None
) -> _Trials:
    feature, threshold = explanation.feature, room.strong_threshold(explanation.feature)
    seed = seed_of(feature, NAME)
    seen = occurrences(room.sealed, feature.index, threshold, words.reach)
    held = outside = None
    if explanation.predicate is not None:
        held = room.held.of(explanation.predicate).anywhere_in(seen.spans)
        outside = ~held
    concept = corpus_trials(seen, words.concept, held, MOST, seed)
    lexical = corpus_trials(seen, words.lexical_words, outside, MOST, seed)
    semantic = corpus_trials(seen, words.semantic, outside, MOST, seed)
    control = corpus_trials(seen, words.control, outside, 2 * MOST, seed)
    sentences: tuple[str, ...] = ()
    if activate is not None and (len(lexical.fires) < ENOUGH or len(concept.fires) < FEWEST):
        carrier = Carrier(activate, feature.index, threshold, words.control[:_FILLERS])
        sentences, found = carrier.sentences, lexical.by_word()
        seldom = [w for w in words.lexical_words if found.get(w, (0, 0))[1] < _SELDOM and w in words.forms]
        lexical += carrier.trials({w: words.forms[w] for w in seldom[:_MOST_CARRIED]})
        # The same sentences for the label's words, so that both sides were measured alike.
        own = [w for w in words.concept if w in words.forms][: max(1, len(seldom))]
        concept += carrier.trials({w: words.forms[w] for w in own})
    return _Trials(concept, lexical, semantic, control, sentences)


def _finding(words: TestWords, trials: _Trials) -> Finding:
    own, alike, usual = trials.concept, trials.lexical, trials.control.rate
    if min(len(own.fires), len(alike.fires)) < FEWEST:
        return Finding.none(
            f"{len(own.fires)} places with {_listed(words.concept)} and {len(alike.fires)} with words that "
            f"look like them ({_listed(words.lexical_words)}); {FEWEST} of each are needed"
        )
    if own.rate - usual < LEAST_OWN or own.ends.low <= usual:
        return Finding.none(
            f"the feature fires on {own.rate:.0%} of the label's own words ({_listed(words.concept)}) and on "
            f"{usual:.0%} of others, so there is nothing to compare with"
        )
    value = max(0.0, alike.rate - usual) / (own.rate - usual)
    ends = ratio_ends(
        alike.rate - usual, _minus(alike.ends, usual), own.rate - usual, _minus(own.ends, usual)
    )
    interval = Interval(
        low=min(ends.low, value), high=max(ends.high, value), method="ratio of wilson intervals"
    )
    confounded = _confounded(words, alike)
    passed = False if confounded or value >= BOUND else True if interval.high < BOUND else None
    return Finding(value, interval, passed, len(alike.fires), _words(words, trials, confounded, passed))


def _minus(ends: Ends, usual: float) -> Ends:
    return Ends(ends.low - usual, ends.high - usual)


def ratio_ends(top: float, top_ends: Ends, bottom: float, bottom_ends: Ends) -> Ends:
    """Interval of `top / bottom` from the intervals of both, at least 0 (MOVER-R, Donner and Zou 2012,
    https://doi.org/10.1177/0962280210391076); `bottom` and its lower end must be above 0."""
    top, low, high = max(0.0, top), max(0.0, top_ends.low), max(0.0, top_ends.high)
    product = top * bottom

    def end(numerator: float, denominator: float, sign: int) -> float:
        spread = product**2 - numerator * denominator * (2 * top - numerator) * (2 * bottom - denominator)
        return (product + sign * math.sqrt(max(0.0, spread))) / (denominator * (2 * bottom - denominator))

    return Ends(max(0.0, end(low, bottom_ends.high, -1)), end(high, bottom_ends.low, 1))


def _confounded(words: TestWords, alike: WordTrials) -> list[str]:
    """Concept words of whose lexical neighbours at least two, and at least half, mostly fire.

    A label of ten words with one that the feature knows by its letters would hide that in the average.
    """
    found = alike.by_word()
    out: list[str] = []
    for word, neighbours in words.lexical.items():
        tried = [found[w] for w in neighbours if w in found]
        firing = sum(2 * fired > n for fired, n in tried)
        if firing >= 2 and 2 * firing >= len(tried):
            out.append(word)
    return out


def _words(words: TestWords, trials: _Trials, confounded: list[str], passed: bool | None) -> str:
    alike = trials.lexical
    most = sorted(alike.by_word().items(), key=lambda item: (-item[1][0] / item[1][1], item[0]))
    firing = ", ".join(f"{w} {fired} of {n}" for w, (fired, n) in most[:6] if fired)
    own, near = trials.concept, trials.semantic
    parts = [
        f"the feature fires on {own.rate:.0%} of {len(own.fires)} places with the label's words "
        f"({_listed(words.concept)}), on {alike.rate:.0%} of {len(alike.fires)} with words that only look "
        f"like them ({_listed(tuple(alike.by_word()))}), and on {trials.control.rate:.0%} of other words",
        f"firing most: {firing}" if firing else "",
        f"most words that look like {_listed(confounded)} fire" if confounded else "",
        f"words near in meaning ({_listed(words.semantic)}): {near.rate:.0%} of {len(near.fires)}"
        if len(near.fires)
        else "",
        "too few places to tell" if passed is None else "",
    ]
    return "; ".join(p for p in parts if p)


def _listed(words: tuple[str, ...] | list[str], most: int = 5) -> str:
    return ", ".join(words[:most]) + (", …" if len(words) > most else "")


def _payload(words: TestWords, trials: _Trials | None) -> dict[str, object]:
    chosen: dict[str, object] = {
        "concept": list(words.concept),
        "lexical": {word: list(near) for word, near in words.lexical.items()},
        "semantic": list(words.semantic),
        "reach": words.reach,
    }
    if trials is None:
        return chosen
    rates = {
        kind: {word: list(counts) for word, counts in getattr(trials, kind).by_word().items()}
        for kind in ("concept", "lexical", "semantic")
    }
    control = {"fires": int(np.count_nonzero(trials.control.fires)), "n": len(trials.control.fires)}
    return {**chosen, "fires_of_n": rates, "control": control, "carriers": list(trials.sentences)}
