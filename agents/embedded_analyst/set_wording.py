"""A set of tokens or words as one noun phrase."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from glossator.agents.embedded_analyst.closed_classes import CLOSED_CLASSES
from glossator.agents.embedded_analyst.token_names import TokenKind, kind_of, quoted, token_name
from glossator.agents.embedded_analyst.word_forms import WordForms, families, shared_beginning

_MINOR, _SMALL_KIND = 0.02, 0.1
_CLASS_SHARE, _CLASS_COUNT = 0.85, 0.6
_MANY_DIGITS = 7
_MOST_BASES = 4
Namer = Callable[[Sequence[str]], str | None]


def either(items: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} or {items[-1]}"


def examples(items: Sequence[str], shown: int) -> str:
    """The first few in quotes, and how many there are besides; never "and 1 more"."""
    if len(items) <= shown + 1:
        return either([quoted(item) for item in items])
    few = ", ".join(quoted(item) for item in items[:shown])
    return f"{few} and {len(items) - shown} more"


class SetStyle(NamedTuple):
    """How sets are put into words."""

    forms: WordForms
    """The words of the text and how they are written."""
    namer: Namer | None
    """Names a group of words, if there is an embedder."""
    shown: int
    """How many members are shown."""

    def tokens(self, tokens: Sequence[str], weight: Mapping[str, float]) -> str:
        """What a person would call these tokens.

        Args:
            tokens: exact token texts.
            weight: how much each counts; what counts for next to nothing is not shown.
        """
        tokens = _weighty(tokens, weight)
        as_word = {token.strip().casefold() for token in tokens if kind_of(token) is TokenKind.WORD}
        by_kind: dict[TokenKind, list[str]] = {}
        for token in tokens:
            kind = kind_of(token)
            if kind is TokenKind.PIECE and token.casefold() in as_word:
                kind = TokenKind.WORD
            by_kind.setdefault(kind, []).append(token)
        return either([self._kind(kind, by_kind[kind], weight) for kind in _main_kinds(by_kind, weight)[:3]])

    def words(self, words: Sequence[str], weight: Mapping[str, float]) -> str:
        """What a person would call these words, case aside."""
        words = _weighty(words, weight)
        if len(words) == 1:
            return f"the word {quoted(self.forms.shown(words[0]))}"
        named = _closed_class(words, weight)
        if named is not None:
            return f"{named} ({self._some(words)})"
        related = families(words, self.forms.known)
        if len(related) == 1:
            return f"a form of {quoted(self.forms.shown(next(iter(related))))}"
        beginning = shared_beginning(list(words))
        if beginning is not None and len(words) > 2:
            return f"words beginning with {quoted(beginning)} ({self._some(words)})"
        term = None if self.namer is None else self.namer(words)
        if term is not None:
            return f"words about {term} ({self._some(words)})"
        return self._unnamed(words, related)

    def _unnamed(self, words: Sequence[str], related: Mapping[str, list[str]]) -> str:
        bases = [self.forms.shown(base) for base in related]
        if len(bases) < len(words) and len(bases) <= _MOST_BASES:
            return f"forms of {examples(bases, self.shown)}"
        listed = bases if len(bases) < len(words) else [self.forms.shown(word) for word in words]
        kind = "the words" if len(listed) <= self.shown and listed is not bases else "words such as"
        return f"{kind} {examples(listed, self.shown)}"

    def _some(self, words: Sequence[str]) -> str:
        few = ", ".join(quoted(self.forms.shown(word)) for word in words[: min(4, self.shown)])
        return f"{few}, …" if len(words) > min(4, self.shown) else few

    def _kind(self, kind: TokenKind, tokens: list[str], weight: Mapping[str, float]) -> str:
        bare = list(dict.fromkeys(token.strip() for token in tokens))
        if kind is TokenKind.WORD:
            return self._word_tokens(tokens, weight)
        if kind is TokenKind.SPACE:
            return _spaces(tokens)
        if kind is TokenKind.DIGIT and len(bare) >= _MANY_DIGITS:
            return "a digit"
        if len(bare) == 1 or kind is TokenKind.BYTES:
            return token_name(tokens[0])
        if kind is TokenKind.MARK and len(bare) <= 3:
            return either(list(dict.fromkeys(token_name(token) for token in tokens)))
        group = {TokenKind.PIECE: "word pieces", TokenKind.DIGIT: "digits"}.get(kind, "marks")
        return f"{group} such as {examples(bare, min(4, self.shown))}"

    def _word_tokens(self, tokens: list[str], weight: Mapping[str, float]) -> str:
        merged: dict[str, float] = {}
        for token in tokens:
            name = token.strip().casefold()
            merged[name] = merged.get(name, 0.0) + weight.get(token, 0.0)
        if len(merged) == 1:
            return f"the word {quoted(tokens[0].strip())}"
        return self.words(list(merged), merged)


def _spaces(tokens: Sequence[str]) -> str:
    """White space; breaks with and without indentation are not told apart."""
    if len(tokens) == 1:
        return token_name(tokens[0])
    if all("\n\n" in token for token in tokens):
        return "a blank line"
    if all("\n" in token for token in tokens):
        return "a line break"
    return "white space" if any("\n" in token for token in tokens) else "indentation"


def _main_kinds(by_kind: Mapping[TokenKind, list[str]], weight: Mapping[str, float]) -> list[TokenKind]:
    """The kinds that carry the weight, heaviest first; a small rest of another kind is not shown."""
    share = {kind: sum(weight.get(token, 0.0) for token in group) for kind, group in by_kind.items()}
    ordered = sorted(by_kind, key=lambda kind: -share[kind])
    return [kind for kind in ordered if share[kind] >= _SMALL_KIND * sum(share.values())] or ordered


def _weighty(names: Sequence[str], weight: Mapping[str, float]) -> list[str]:
    """Names by weight, without those that carry next to nothing; as they are if none carries anything."""
    names = list(dict.fromkeys(names))
    total = sum(weight.get(name, 0.0) for name in names)
    if total <= 0:
        return names
    kept = [name for name in names if weight.get(name, 0.0) >= _MINOR * total]
    return sorted(kept or names, key=lambda name: -weight.get(name, 0.0))


def _closed_class(words: Sequence[str], weight: Mapping[str, float]) -> str | None:
    """The smallest closed class that holds nearly all the weight and most of the words."""
    total = sum(weight.get(w, 0.0) for w in words) or 1.0
    best, best_fit = None, 0.0
    for group in CLOSED_CLASSES:
        inside = [word for word in words if word in group.words]
        if len(inside) < min(3, len(words)) or len(inside) < _CLASS_COUNT * len(words):
            continue
        if sum(weight.get(word, 0.0) for word in inside) >= _CLASS_SHARE * total:
            fit = len(inside) + 1 / len(group.words)
            best, best_fit = (group.name, fit) if fit > best_fit else (best, best_fit)
    return best
