"""Words that share letters but not meaning, and words that share meaning but not letters.

What counts as sharing letters: a common beginning of at least three letters that is at least half of the
shorter word, the whole word inside the other, or one letter changed, added or dropped. What counts as
sharing meaning: another form of the word, a word derived from it, or sentence embeddings near each other.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence

import numpy as np
from jaxtyping import Float

from glossator.agents.embedded_analyst.word_forms import base_form
from glossator.probes.text_embedder import TextEmbedder

Similarity = Callable[[Sequence[str], Sequence[str]], Float[np.ndarray, "a b"]]
"""How near in meaning the words of two lists are: cosines of their embeddings."""
SIMILAR = 0.45
"""Words at least as near share meaning. With all-MiniLM-L6-v2: coffee–coffin 0.26, coffee–coffer 0.37,
would–world 0.25, money–monk 0.22, part–party 0.40; but coffee–tea 0.62, use–useful 0.64, walk–run 0.46."""
_LEAST_SHARED = 3
_LEAST_INSIDE = 4
_DERIVING = (
    "able", "age", "al", "ally", "ance", "ant", "ary", "ation", "dom", "en", "ence", "ent", "er", "ery",
    "ess", "est", "ful", "fully", "hood", "ible", "ic", "ical", "ically", "ier", "iest", "ify", "ily", "ing",
    "ion", "ise", "ish", "ism", "ist", "ity", "ive", "ize", "less", "lessly", "like", "ly", "ment", "ness",
    "or", "ors", "ous", "ously", "self", "selves", "ship", "some", "ure", "ward", "wards", "wise", "y",
)  # fmt: skip


def embedding_similarity(embedder: TextEmbedder | None) -> Similarity | None:
    """Similarity by an embedder; None without one that knows meanings.

    The hashing embedder compares letters, so by it every lexical neighbour would share meaning.
    """
    if embedder is None or embedder.name.startswith("hashing"):
        return None

    def similarity(first: Sequence[str], second: Sequence[str]) -> Float[np.ndarray, "a b"]:
        return embedder.embed(first) @ embedder.embed(second).T

    return similarity


def shares_letters(word: str, other: str) -> bool:
    """Whether two different case-folded words look alike; only words of letters do."""
    if word == other or not (word.isalpha() and other.isalpha()) or min(len(word), len(other)) < 2:
        return False
    short, long = sorted((word, other), key=len)
    common = _shared(short, long)
    if common == len(short) or (common >= _LEAST_SHARED and 2 * common >= len(short)):
        return True
    if len(short) < _LEAST_INSIDE:
        return False
    return short in long or _one_letter_apart(short, long)


def _shared(word: str, other: str) -> int:
    """Length of the common beginning."""
    n = 0
    for a, b in zip(word, other, strict=False):
        if a != b:
            break
        n += 1
    return n


def _one_letter_apart(short: str, long: str) -> bool:
    if len(long) - len(short) > 1:
        return False
    at = _shared(short, long)
    return short[at + (len(short) == len(long)) :] == long[at + 1 :]


def same_family(word: str, other: str, known: Container[str]) -> bool:
    """Whether one is a form of the other, or derived from it, as far as endings tell."""
    a, b = base_form(word, known), base_form(other, known)
    if a == b:
        return True
    return any(
        _derived(long, short)
        for x in {word, a}
        for y in {other, b}
        for short, long in [sorted((x, y), key=len)]
    )


def _derived(long: str, short: str) -> bool:
    """Whether `long` is `short` with an ending, its last e or y changed or its last letter doubled."""
    if len(short) < 3 or long == short:
        return False
    stems = {short, short + short[-1]}
    if short[-1] == "e":
        stems.add(short[:-1])
    if short[-1] == "y":
        stems.add(short[:-1] + "i")
    plain = long.removesuffix("'s").removesuffix("s") if long.endswith("s") else long
    return any(
        long[len(s) :] in _DERIVING or plain[len(s) :] in _DERIVING for s in stems if long.startswith(s)
    )


def letters_shared(word: str, other: str) -> float:
    """How alike two words look: the common beginning, of the longer word's length."""
    return _shared(word, other) / max(len(word), len(other), 1)


def lexical_neighbours_of(
    word: str, vocabulary: Iterable[str], barred: Container[str], known: Container[str], most: int
) -> list[str]:
    """The words of `vocabulary` that look most like `word` and are no forms of it, likest first."""
    found = [
        v
        for v in vocabulary
        if v not in barred and shares_letters(word, v) and not same_family(word, v, known)
    ]
    return sorted(found, key=lambda v: (-letters_shared(word, v), v))[:most]


def apart_in_meaning(
    words: Sequence[str], concept: Sequence[str], similarity: Similarity | None, known: Container[str]
) -> list[str]:
    """Those of `words` that are near no word of the concept in meaning.

    Without a similarity, those that are no concept word with something put behind it: anything behind a
    long word (`coffeehouse`), another word behind a short one (`seaside`, but also `season`).
    """
    if not words or not concept:
        return list(words)
    if similarity is None:
        return [w for w in words if not any(_compound(w, c, known) for c in concept)]
    near = similarity(words, concept).max(axis=1)
    return [w for w, n in zip(words, near.tolist(), strict=True) if n < SIMILAR]


def _compound(word: str, part: str, known: Container[str]) -> bool:
    rest = word.removeprefix(part)
    return rest != word and (len(part) > _LEAST_SHARED or (len(rest) >= _LEAST_SHARED and rest in known))


def semantic_neighbours_of(
    concept: Sequence[str],
    vocabulary: Sequence[str],
    barred: Container[str],
    similarity: Similarity | None,
    most: int,
) -> list[str]:
    """Words of `vocabulary` near a concept word in meaning that look like none of them, nearest first."""
    unlike = [
        v
        for v in vocabulary
        if v not in barred and not any(shares_letters(v, c) or v[:2] == c[:2] for c in concept)
    ]
    if similarity is None or not unlike or not concept:
        return []
    near = similarity(unlike, concept).max(axis=1)
    order = [int(i) for i in np.argsort(-near, kind="stable")[:most] if near[int(i)] >= SIMILAR]
    return [unlike[i] for i in order]
