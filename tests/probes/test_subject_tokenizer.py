"""Token texts and ids: byte-level and sentencepiece-like, plain text that looks special, broken text."""

from __future__ import annotations

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, processors
from transformers import PreTrainedTokenizerFast

from glossator.probes.subject_tokenizer import SubjectTokenizer, without_lone_surrogates
from glossator.probes.tiny_subject import tiny_subject, tiny_tokenizer

TEXTS = [
    "Hello, world",
    "  two  spaces\tand\r\nlines\n\n",
    "<|im_start|>user<|im_end|> <|endoftext|>",
    "<b>&amp;</b>",
    "",
]


def _joined(subject_tokenizer: SubjectTokenizer, text: str) -> str:
    return "".join(subject_tokenizer.vocabulary.texts[i] for i in subject_tokenizer.tokenize([text])[0])


@pytest.mark.parametrize("text", TEXTS)
def test_byte_level_texts_put_together_give_the_text(text: str) -> None:
    tokens = SubjectTokenizer(tiny_tokenizer(), 363)
    assert _joined(tokens, text) == text
    assert not set(tokens.tokenize([text])[0]) & tokens.vocabulary.special_ids


def test_parts_of_characters_are_escaped_bytes() -> None:
    tokens = SubjectTokenizer(tiny_tokenizer(), 363)
    assert _joined(tokens, "é") == "<0xC3><0xA9>"
    assert _joined(tokens, "a\0b") == "a\0b"
    for text in ("עברית", "😀", "e\u0301"):
        escaped = _joined(tokens, text)
        assert escaped.isascii()
        assert len(tokens.tokenize([text])[0]) == len(text.encode())


def test_special_tokens_are_raw_and_unnamed_ids_have_a_text() -> None:
    tokens = SubjectTokenizer(tiny_tokenizer(), 370)
    assert tokens.vocabulary.special_ids == {0, 1, 2}
    assert tokens.vocabulary.texts[:3] == ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    assert tokens.n_named == 363
    assert tokens.vocabulary.texts[363:] == tuple(f"<unused_{i}>" for i in range(363, 370))
    assert tokens.row_prefix == ()


def test_reading_documents_does_not_change_the_tokenizer() -> None:
    tokenizer = tiny_tokenizer()
    before = tokenizer("<|im_start|>a").input_ids
    SubjectTokenizer(tokenizer, 363).tokenize(["<|im_start|>a"])
    assert tokenizer("<|im_start|>a").input_ids == before
    assert before[0] == 1


def test_lone_surrogates_become_replacement_characters() -> None:
    assert without_lone_surrogates("a\ud800b\udfff") == "a\ufffdb\ufffd"
    assert without_lone_surrogates("\ud83d\ude00") == "😀"
    assert without_lone_surrogates("plain 😀") == "plain 😀"
    subject = tiny_subject()
    assert subject.tokenize(["\ud800"]) == subject.tokenize(["\ufffd"])


def _sentencepiece_like(bos: bool) -> PreTrainedTokenizerFast:
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "▁a", "ab"]
    model = models.BPE(
        {p: i for i, p in enumerate(pieces)}, [("▁", "a"), ("a", "b")], unk_token="<unk>", byte_fallback=True
    )
    backend = tokenizers.Tokenizer(model)
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    if bos:
        backend.post_processor = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 1), ("</s>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def test_sentencepiece_like_texts() -> None:
    tokens = SubjectTokenizer(_sentencepiece_like(bos=True), 264)
    assert _joined(tokens, "a b\nab") == " a b\nab"
    assert _joined(tokens, "é") == " <0xC3><0xA9>"
    assert tokens.row_prefix == (1,)
    assert tokens.vocabulary.special_ids == {0, 1, 2}
    assert not {1, 2} & set(tokens.tokenize(["<s>a</s>"])[0])
    assert SubjectTokenizer(_sentencepiece_like(bos=False), 264).row_prefix == ()
