"""When two findings say the same in the same words, and what is left of several that do.

Case, spaces, the punctuation of sentences and quotation marks around words make no difference; any other
sign does, because labels name tokens such as `(` and `'s`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from glossator.memory.finding_store import StoredFinding
from glossator.records import FindingKind

_MARKS = str.maketrans("“”„«»‘’‚`", '"""""\'\'\'\'')
_QUOTED = re.compile(r"(?<!\w)([\"'])(\w(?:[^\"']*\w)?)\1(?!\w)")
_SENTENCE = re.compile(r"(?<=\w)[.,;:!?…]+(?=\s|$)")


def plain_words(text: str) -> str:
    """`text` without what makes no difference: `The word "Cat".` is `the word cat`."""
    unquoted = _QUOTED.sub(r"\2", text.casefold().translate(_MARKS))
    return " ".join(_SENTENCE.sub("", unquoted).split())


def deduplicated(stored: Iterable[StoredFinding]) -> tuple[StoredFinding, ...]:
    """Each finding once, newest first: of several with the same features, kind and words the newest.

    It is given the evidence and the investigations of them all, oldest first.
    """
    groups: dict[tuple[tuple[int, ...], FindingKind, str], list[StoredFinding]] = {}
    for one in stored:
        key = (tuple(sorted(one.finding.features)), one.finding.kind, plain_words(one.finding.text))
        groups.setdefault(key, []).append(one)
    merged = [_merged(sorted(group, key=lambda s: s.seq)) for group in groups.values()]
    return tuple(sorted(merged, key=lambda s: -s.seq))


def _merged(group: list[StoredFinding]) -> StoredFinding:
    newest = group[-1]
    evidence = dict.fromkeys(e for s in group for e in s.finding.evidence)
    sources = dict.fromkeys(i for s in group for i in s.investigations)
    finding = newest.finding.model_copy(update={"evidence": tuple(evidence)})
    return StoredFinding(finding, tuple(sources), group[0].at, newest.seq)
