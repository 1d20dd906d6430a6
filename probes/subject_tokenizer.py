"""Texts to token ids and token ids to texts, for any fast tokenizer.

Documents are data: what looks like a special token in one is tokenised as plain text. Token texts
are exact: put side by side they give the text back, except that sentencepiece-like tokenizers add a
space in front, and that parts of a UTF-8 character show as `<0xE2>`.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence
from typing import Any

import tokenizers
from transformers import PreTrainedTokenizerBase

from glossator.errors import UserError
from glossator.probes.vocabulary import Vocabulary

_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def without_lone_surrogates(text: str) -> str:
    """`text` as valid Unicode: surrogate pairs joined, lone ones replaced by U+FFFD."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class SubjectTokenizer:
    """The tokenizer of a subject, with the vocabulary as text."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, vocabulary_size: int) -> None:
        """Take over `tokenizer`; ids up to `vocabulary_size` that it does not name are called unused.

        Raises:
            UserError: it is not a fast tokenizer.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, tokenizers.Tokenizer):
            raise UserError(
                f"{type(tokenizer).__name__} has no fast tokenizer (tokenizer.json): convert the tokenizer "
                "with transformers' AutoTokenizer and save it beside the model"
            )
        # A copy of our own: the settings below must not change what others do with the same tokenizer.
        self._backend = tokenizers.Tokenizer.from_str(backend.to_str())
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.encode_special_tokens = True
        self.n_named = 1 + max(self._backend.get_vocab(with_added_tokens=True).values())
        self.vocabulary = _vocabulary(tokenizer, self._backend, max(self.n_named, vocabulary_size))
        self.row_prefix = _row_prefix(backend)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens."""
        clean = [without_lone_surrogates(text) for text in texts]
        return [encoding.ids for encoding in self._backend.encode_batch_fast(clean, add_special_tokens=False)]


def _row_prefix(backend: tokenizers.Tokenizer) -> tuple[int, ...]:
    """What the tokenizer puts before a text by default: most often nothing, or a beginning token."""
    plain = backend.encode("a", add_special_tokens=False).ids
    full = backend.encode("a", add_special_tokens=True).ids
    starts = (i for i in range(len(full) - len(plain) + 1) if full[i : i + len(plain)] == plain)
    return tuple(full[: next(starts, 0)])


def _vocabulary(tokenizer: PreTrainedTokenizerBase, backend: tokenizers.Tokenizer, size: int) -> Vocabulary:
    texts = [f"<unused_{i}>" for i in range(size)]
    settings: dict[str, Any] = json.loads(backend.to_str())
    decoder = json.dumps(settings.get("decoder"), ensure_ascii=False)
    byte_level, metaspace = '"ByteLevel"' in decoder, "\u2581" in decoder
    for token, i in backend.get_vocab(with_added_tokens=False).items():
        if byte_level:
            texts[i] = _byte_level_text(token)
        else:
            texts[i] = _sentencepiece_text(token) if metaspace else token
    special = {int(i) for i in tokenizer.all_special_ids}
    for i, added in backend.get_added_tokens_decoder().items():
        texts[i] = added.content.replace("\u2581", " ") if metaspace else added.content
        if added.special:
            special.add(i)
    return Vocabulary(tuple(texts), frozenset(i for i in special if i < size))


def _sentencepiece_text(token: str) -> str:
    byte = _BYTE_TOKEN.fullmatch(token)
    if byte is None:
        return token.replace("\u2581", " ")
    value = int(byte[1], 16)
    return chr(value) if value < 0x80 else f"<0x{value:02X}>"


def _byte_level_text(token: str) -> str:
    if any(char not in _BYTE_OF_CHAR for char in token):
        return token
    return bytes(_BYTE_OF_CHAR[char] for char in token).decode("utf-8", "glossator.escape-bytes")


def _byte_of_char() -> dict[str, int]:
    """GPT-2's printable stand-ins for the 256 bytes (https://github.com/openai/gpt-2, encoder.py)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + n): b for n, b in enumerate(others)}


def _escape_bytes(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"<0x{byte:02X}>" for byte in error.object[error.start : error.end]), error.end


_BYTE_OF_CHAR = _byte_of_char()
codecs.register_error("glossator.escape-bytes", _escape_bytes)
