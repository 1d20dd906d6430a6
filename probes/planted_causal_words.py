"""The words of the planted causal subject, and texts made of them.

Concepts are twelve nouns each. Several hold words that share letters with a drink but not its meaning
(`coffin`, `team`, `bear`), so that a label may be asked whether its feature goes by letters or meaning.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CONCEPTS: Mapping[str, tuple[str, ...]] = {
    name: _words(words)
    for name, words in {
        "drinks": "coffee tea milk juice wine water beer cocoa cider soda lemonade rum",
        "food": "bread cheese soup rice butter apple cake salad pasta honey egg meat",
        "kitchenware": "cup glass bottle kettle spoon plate pan oven bowl jug knife fork",
        "money": "coffer coffers bank fund mint vault coin debt loan tax price budget",
        "graves": "coffin coffins tomb grave funeral ghost church prayer widow burial mourner crypt",
        "sports": "team rider run ball goal match coach race winner player score stadium",
        "animals": "bear deer swine cobra spider horse dog cat wolf fox mouse sheep",
        "furniture": "sofa silk lamp curtain carpet chair table shelf mirror pillow blanket drawer",
        "weather": "wind storm rain snow cloud fog frost thunder sun breeze hail heat",
        "body": "tear beard hand arm shoulder knee finger ear nose chin neck heart",
        "trades": "mill waiter jury teacher lawyer farmer nurse driver clerk baker tailor painter",
        "plants": "vine teak oak rose moss fern pine lily grass leaf root seed",
        "music": "drum song piano violin flute choir melody rhythm guitar trumpet harp opera",
        "travel": "road train ship bridge harbour station ticket map luggage airport bus ferry",
    }.items()
}
"""Concept to its words."""
SHARED_LETTERS = ("coffee", "coffin", "coffins", "coffer", "coffers")
"""What the lexical confound fires on: one drink, and words that only look like it."""

FUNCTION = _words(
    "the a an and or of to in on at for with by from near some this that these it is was were are be had "
    "has have he she they we you I his her their our my as but so if when then there not no"
)
"""Words of every text."""
OTHER = _words(
    "man woman child neighbour friend boy girl mother father doctor king guest people person thing things "
    "took brought saw found kept left carried wanted liked sold bought moved cleaned watched counted "
    "described drew lost needed shared said went came looked asked think know like want see made make "
    "old small quiet heavy bright cold warm new strange simple dark good bad large long first next best "
    "today yesterday again often never always later soon slowly quickly beside behind under before after "
    "about into over between around middle room side part time day way reason reasons many most more few "
    "one two three report list text short question answer other another anyone nobody maybe because "
    "what which who why how where while back out up down can could would should will may must do does did "
    "need help write open try start sure please below following shows works true main important late "
    "happened just very really together each every all both any own same such only here "
    "now still also too than them him us me its your hello hi yes well wait tell ask follow use"
)
"""Verbs, adjectives, people, and the words of common beginnings."""
_PEOPLE = OTHER[:12]
_VERBS = OTHER[16:36]
_ADJECTIVES = _words("old small quiet heavy bright cold warm new strange simple dark good bad large")
_ADVERBS = _words("today yesterday again often never always later soon slowly quickly")
_PLACES = _words("beside behind under near")
_TEMPLATES = (
    "The {p} {v} the {a} {n} {l} the {m}.",
    "The {p} {v} some {n} and a {m}.",
    "In the {n} there was a {a} {m}.",
    "The {q} {v} it {t}, but the {p} {v} the {n}.",
    "When the {p} came back, they {v} the {n} {t}.",
    "A {a} {n} was {l} the {m} and the {x}.",
    "The {n} of the {q} is {a}, as the {p} said.",
    "They {v} no {n} {t}, so the {q} {v} a {a} {m}.",
    "We {v} this {n} for the {p}.",
    "It was {a}, and the {p} {v} the {x} with the {n}.",
)


def vocabulary_words() -> tuple[str, ...]:
    """Every word once: nouns, function words, the others, and those with a capital that begin a sentence."""
    nouns = [word for words in CONCEPTS.values() for word in words]
    plain = [*nouns, *FUNCTION, *OTHER]
    capital = [word.capitalize() for word in (*FUNCTION, *OTHER)]
    return tuple(dict.fromkeys([*plain, *capital]))


def planted_texts(seed: int, documents: int = 420, sentences: int = 12) -> tuple[str, ...]:
    """Documents of about `sentences` sentences, each about two concepts and now and then a third."""
    rng = np.random.default_rng(seed)
    return tuple(_document(rng, int(rng.integers(sentences - 4, sentences + 5))) for _ in range(documents))


def _document(rng: np.random.Generator, sentences: int) -> str:
    names = list(CONCEPTS)
    about = [names[i] for i in rng.choice(len(names), 2, replace=False)]
    return " ".join(_sentence(rng, about[int(rng.integers(2))], names) for _ in range(sentences))


def _sentence(rng: np.random.Generator, concept: str, names: list[str]) -> str:
    elsewhere = names[int(rng.integers(len(names)))]
    noun, second = _nouns(rng, concept, 2)
    return _pick(rng, _TEMPLATES).format(
        n=noun,
        m=second,
        x=_nouns(rng, elsewhere, 1)[0],
        p=_pick(rng, _PEOPLE),
        q=_pick(rng, _PEOPLE),
        v=_pick(rng, _VERBS),
        a=_pick(rng, _ADJECTIVES),
        t=_pick(rng, _ADVERBS),
        l=_pick(rng, _PLACES),
    )


def _nouns(rng: np.random.Generator, concept: str, n: int) -> list[str]:
    """Different nouns of one concept; the few that the lexical confound fires on come twice as often."""
    words = CONCEPTS[concept]
    weights = np.array([2.0 if word in SHARED_LETTERS else 1.0 for word in words])
    return [words[i] for i in rng.choice(len(words), n, replace=False, p=weights / weights.sum())]


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]
