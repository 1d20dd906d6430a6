"""A set of tokens or words as one noun phrase."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from glossator.agents.embedded_analyst.closed_classes import CLOSED_CLASSES
from glossator.agents.embedded_analyst.token_names import TokenKind, kind_of, quoted, token_name
from glossator.agents.embedded_analyst.word_forms import WordForms, families, shared_beginning

SHOWN = 5
_MINOR, _SMALL_KIND = 0.02, 0.1
_CLASS_SHARE = 0.85
Namer = Callable[[Sequence[str]], str | None]


def either(items: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} or {items[-1]}"


def examples(items: Sequence[str], shown: int = SHOWN) -> str:
    """The first few in quotes, and how many there are besides."""
    if len(items) <= shown:
        return either([quoted(item) for item in items])
    few = ", ".join(quoted(item) for item in items[:shown])
    return f"{few} and {len(items) - shown} more"


def token_set_phrase(
    tokens: Sequence[str], weight: Mapping[str, float], forms: WordForms, namer: Namer | None
) -> str:
    """What a person would call these tokens.

    Args:
        tokens: exact token texts, the weightiest first.
        weight: how much each counts; what counts for next to nothing is not shown.
        forms: the words of the text and how they are written.
        namer: names a group of words, if there is an embedder.
    """
    tokens = _weighty(tokens, weight)
    as_word = {token.strip().casefold() for token in tokens if kind_of(token) is TokenKind.WORD}
    by_kind: dict[TokenKind, list[str]] = {}
    for token in tokens:
        kind = kind_of(token)
        if kind is TokenKind.PIECE and token.casefold() in as_word:
            kind = TokenKind.WORD
        by_kind.setdefault(kind, []).append(token)
    phrases = [
        _kind_phrase(kind, by_kind[kind], weight, forms, namer) for kind in _main_kinds(by_kind, weight)
    ]
    return either(phrases[:3])


def _main_kinds(by_kind: Mapping[TokenKind, list[str]], weight: Mapping[str, float]) -> list[TokenKind]:
    """The kinds that carry the weight, heaviest first; a small rest of another kind is not shown."""
    share = {kind: sum(weight.get(token, 0.0) for token in group) for kind, group in by_kind.items()}
    ordered = sorted(by_kind, key=lambda kind: -share[kind])
    return [kind for kind in ordered if share[kind] >= _SMALL_KIND * sum(share.values())] or ordered


def _weighty(names: Sequence[str], weight: Mapping[str, float]) -> list[str]:
    """Names without those that carry next to nothing; all of them if none carries anything."""
    total = sum(weight.get(name, 0.0) for name in names)
    kept = [name for name in names if weight.get(name, 0.0) >= _MINOR * total]
    return kept if kept and total > 0 else list(names)


def _kind_phrase(
    kind: TokenKind, tokens: list[str], weight: Mapping[str, float], forms: WordForms, namer: Namer | None
) -> str:
    bare = list(dict.fromkeys(token.strip() for token in tokens))
    if kind is TokenKind.WORD:
        words = list(dict.fromkeys(b if b.isupper() and len(b) > 1 else b.casefold() for b in bare))
        if len({b.casefold() for b in bare}) == 1:
            return f"the word {quoted(bare[0])}"
        merged: dict[str, float] = {}
        for token in tokens:
            name = token.strip().casefold()
            merged[name] = merged.get(name, 0.0) + weight.get(token, 0.0)
        return word_set_phrase([w.casefold() for w in words], merged, forms, namer)
    if kind is TokenKind.PIECE:
        return (
            f"the word piece {quoted(bare[0])}"
            if len(bare) == 1
            else f"word pieces such as {examples(bare, 4)}"
        )
    if kind is TokenKind.DIGIT:
        return (
            "a digit"
            if len(bare) >= 7
            else f"the digit {quoted(bare[0])}"
            if len(bare) == 1
            else f"digits such as {examples(bare)}"
        )
    named = list(dict.fromkeys(token_name(token) for token in tokens))
    if len(named) <= 3:
        return either(named)
    if kind is TokenKind.MARK:
        return f"marks such as {examples(bare)}"
    return f"{named[0]} or other white space" if kind is TokenKind.SPACE else named[0]


def word_set_phrase(
    words: Sequence[str], weight: Mapping[str, float], forms: WordForms, namer: Namer | None
) -> str:
    """What a person would call these words, case aside."""
    words = _weighty(list(dict.fromkeys(words)), weight)
    if len(words) == 1:
        return f"the word {quoted(forms.shown(words[0]))}"
    total = sum(weight.get(w, 0.0) for w in words) or 1.0
    named = _closed_class(words, weight, total)
    if named is not None:
        return f"{named} ({_short_list(words, forms)})"
    related = families(words, forms.known)
    if len(related) == 1:
        return f"a form of {quoted(next(iter(related)))}"
    beginning = shared_beginning(list(words))
    if beginning is not None and len(words) > 2:
        return f"words beginning with {quoted(beginning)} ({_short_list(words, forms)})"
    term = namer(words) if namer is not None else None
    if term is not None:
        return f"words about {term} ({_short_list(words, forms)})"
    if any(len(group) > 1 for group in related.values()):
        bases = [forms.shown(base) for base in related]
        return (
            f"forms of {examples(bases, 4)}" if _mostly_forms(related) else f"words such as {examples(bases)}"
        )
    shown = [forms.shown(word) for word in words]
    return f"the words {examples(shown)}" if len(words) <= SHOWN else f"words such as {examples(shown)}"


def _mostly_forms(related: Mapping[str, list[str]]) -> bool:
    return sum(len(group) > 1 for group in list(related.values())[:4]) * 2 >= min(4, len(related))


def _short_list(words: Sequence[str], forms: WordForms) -> str:
    few = ", ".join(quoted(forms.shown(word)) for word in words[:4])
    return f"{few}, …" if len(words) > 4 else few


def _closed_class(words: Sequence[str], weight: Mapping[str, float], total: float) -> str | None:
    """The smallest closed class that holds nearly all the weight of at least three words."""
    fitting = [
        c
        for c in CLOSED_CLASSES
        if sum(w in c.words for w in words) >= min(3, len(words))
        and sum(weight.get(w, 0.0) for w in words if w in c.words) >= _CLASS_SHARE * total
        and sum(w in c.words for w in words) >= 0.6 * len(words)
    ]
    if not fitting:
        return None
    return max(fitting, key=lambda c: sum(w in c.words for w in words) - 0.05 * len(c.words)).name
