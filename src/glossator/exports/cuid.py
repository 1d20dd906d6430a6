"""Ids in the form that Neuronpedia's rows have: 25 characters of base 36, the first a `c`.

Theirs are drawn (`Cuid(length=25)`, cuid2: https://github.com/paralleldrive/cuid2); ours are hashes of the
content. Their importer leaves rows alone whose id it knows (`ON CONFLICT DO NOTHING`), so the same row may
be imported twice, and a row that changed has another id and is not taken for the old one.
"""

from __future__ import annotations

import hashlib
import json

LENGTH = 25
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def content_cuid(*content: object) -> str:
    """The id of `content`, which is plain JSON; about 2**124 are possible."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    number = int.from_bytes(hashlib.sha256(canonical.encode(errors="surrogatepass")).digest(), "big")
    digits: list[str] = []
    for _ in range(LENGTH - 1):
        number, rest = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[rest])
    return "c" + "".join(digits)
