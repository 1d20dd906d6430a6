"""Subjects from folders and GGUF files: what they hold, and what happens when they are damaged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import gguf
import pytest
import torch
from safetensors.torch import load, save_file
from transformers import BertConfig, BertModel, T5Config

from glossator.errors import CorruptFileError, SettingsError, UnknownNameError, UserError
from glossator.probes import gguf_cache
from glossator.probes.checkpoint import Checkpoint, DtypeName, Source, load_checkpoint
from glossator.probes.subject import Subject, load_subject
from glossator.probes.tiny_subject import tiny_subject
from glossator.records import SiteRef

IDS = torch.tensor([[3, 50, 80, 120, 200]])
SITE = SiteRef.parse("1.resid")


def _save(subject: Subject, folder: Path) -> Path:
    subject.model.save_pretrained(folder)
    subject.tokenizer.save_pretrained(folder)
    return folder


def test_a_folder_gives_the_subject_that_was_saved(tmp_path: Path) -> None:
    original = tiny_subject("qwen3")
    found = load_subject(_save(original, tmp_path / "My Model"), device="cpu")
    assert found.name == "my-model"
    assert (found.n_layers, found.d_model, found.context_length) == (3, 16, 64)
    assert found.vocabulary == original.vocabulary
    torch.testing.assert_close(found.activations(SITE, IDS), original.activations(SITE, IDS), rtol=0, atol=0)
    assert found.fingerprint() == original.fingerprint()
    assert found.summary().parameters == sum(p.numel() for p in original.model.parameters())


def test_fingerprint_is_the_same_in_another_process_and_sees_every_weight(tmp_path: Path) -> None:
    subject = tiny_subject()
    folder = _save(subject, tmp_path / "m")
    code = "import sys, glossator.probes.subject as s; print(s.load_subject(sys.argv[1]).fingerprint())"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == subject.fingerprint()
    with torch.no_grad():
        next(iter(subject.model.parameters()))[0, 0] += 1e-3
    assert Subject(subject.model, subject.tokenizer, "x").fingerprint() != done.stdout.strip()


@pytest.mark.parametrize(
    ("stored", "asked", "expected"),
    [
        (torch.bfloat16, "auto", torch.bfloat16),
        (torch.float16, "auto", torch.float32),
        (torch.float16, "fp16", torch.float16),
        (torch.float32, "bf16", torch.bfloat16),
        (torch.bfloat16, "fp32", torch.float32),
    ],
)
def test_dtype(tmp_path: Path, stored: torch.dtype, asked: DtypeName, expected: torch.dtype) -> None:
    subject = tiny_subject()
    for parameter in subject.model.parameters():
        parameter.data = parameter.data.to(stored)
    folder = _save(subject, tmp_path / "m")
    found = load_subject(folder, dtype=asked, device="cpu")
    assert found.dtype == found.activations(SITE, IDS).dtype == expected


def test_what_is_not_there_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"no such folder.*nowhere"):
        load_subject(tmp_path / "nowhere")
    with pytest.raises(UnknownNameError, match=r"no GGUF file"):
        load_subject(tmp_path / "nowhere.gguf")
    (tmp_path / "some.gguf").write_bytes(b"GGUF")
    with pytest.raises(UnknownNameError, match=r"no config.json.*some.gguf"):
        load_subject(tmp_path)
    with pytest.raises(SettingsError, match="'toaster'"):
        load_subject(_save(tiny_subject(), tmp_path / "m"), device="toaster")
    with pytest.raises(SettingsError, match="CUDA devices"):
        load_subject(tmp_path / "m", device="cuda:99")


def test_models_that_are_not_decoder_only_are_refused(tmp_path: Path) -> None:
    bert = BertModel(BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    bert.save_pretrained(tmp_path / "bert")
    T5Config(d_model=8, num_layers=1).save_pretrained(tmp_path / "t5")
    for name in ("bert", "t5"):
        with pytest.raises(UserError, match="not a decoder-only language model"):
            load_subject(tmp_path / name)


def test_damaged_and_incomplete_weights_are_refused(tmp_path: Path) -> None:
    folder = _save(tiny_subject(), tmp_path / "m")
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    tensors = load(whole)  # not load_file: its tensors live in the file that is overwritten below
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptFileError):
        load_subject(folder)
    path.write_bytes(b"\0" * 100)
    with pytest.raises(CorruptFileError):
        load_subject(folder)
    missing = dict(list(tensors.items())[1:])
    save_file(missing, path, metadata={"format": "pt"})
    with pytest.raises(CorruptFileError, match="1 tensors missing"):
        load_subject(folder)
    narrow = {name: tensor[..., :-1].contiguous() for name, tensor in tensors.items()}
    save_file(narrow, path, metadata={"format": "pt"})
    with pytest.raises(CorruptFileError):
        load_subject(folder)
    path.write_bytes(whole)
    load_subject(folder)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises((CorruptFileError, UserError)):
        load_subject(folder)


@pytest.fixture
def gguf_file(tmp_path: Path) -> Path:
    """A tiny Llama as GGUF, written with the reference writer."""
    subject = tiny_subject("llama", head_dim=4, tie_word_embeddings=False)
    path = tmp_path / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(16)
    writer.add_block_count(3)
    writer.add_feed_forward_length(40)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(4)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(363)
    backend: Any = cast("Any", subject.tokenizer).backend_tokenizer
    tokens = json.loads(backend.to_str())["model"]
    writer.add_tokenizer_model("gpt2")
    ordered = sorted(tokens["vocab"], key=tokens["vocab"].__getitem__)
    writer.add_token_list(ordered)
    writer.add_token_types([3 if i < 3 else 1 for i in range(len(ordered))])
    writer.add_token_merges([" ".join(pair) for pair in tokens["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    names = {
        "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }  # fmt: skip
    outer = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    for name, tensor in subject.model.state_dict().items():
        stem = name.removesuffix(".weight")
        if stem in outer:
            target = outer[stem]
        else:
            _, _, layer, part = stem.split(".", 3)
            target = f"blk.{layer}.{names[part]}"
        writer.add_tensor(f"{target}.weight", tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_gguf_is_converted_once_and_reads_the_same(gguf_file: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    direct = load_subject(gguf_file, dtype="fp32", device="cpu")
    first = load_subject(gguf_file, dtype="fp32", device="cpu", cache=cache)
    assert first.name == direct.name == "tiny"
    assert first.fingerprint() == direct.fingerprint()
    assert first.vocabulary == direct.vocabulary
    torch.testing.assert_close(first.activations(SITE, IDS), direct.activations(SITE, IDS), rtol=0, atol=0)
    original = tiny_subject("llama", head_dim=4, tie_word_embeddings=False)
    name = "model.layers.1.mlp.down_proj.weight"
    torch.testing.assert_close(first.model.state_dict()[name], original.model.state_dict()[name])
    assert first.tokenize(["hello there"]) == original.tokenize(["hello there"])
    assert load_subject(gguf_file, device="cpu").dtype == torch.bfloat16


def test_gguf_cache_is_used_and_rebuilt_when_damaged(
    gguf_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, sources = tmp_path / "cache", list[str]()

    def counted(source: Source, dtype: DtypeName, device: torch.device) -> Checkpoint:
        sources.append(str(source))
        return load_checkpoint(source, dtype, device)

    monkeypatch.setattr(gguf_cache, "load_checkpoint", counted)

    def load() -> str:
        sources.clear()
        return load_subject(
            gguf_file.parent, gguf_file=gguf_file.name, dtype="fp32", device="cpu", cache=cache
        ).fingerprint()

    fingerprint = load()
    (weights,) = cache.glob("*/model.safetensors")
    assert len(sources) == 2  # the conversion, then its result
    assert load() == fingerprint
    assert sources == [str(weights.parent)]
    content = bytearray(weights.read_bytes())
    content[-5] ^= 0xFF
    weights.write_bytes(content)
    assert load() == fingerprint
    assert len(sources) == 2
    weights.unlink()
    assert load() == fingerprint
    (weights.parent / "verified.json").write_text("{}")
    assert load() == fingerprint
    assert load() == fingerprint
    assert len(sources) == 1
    assert list(cache.glob("*.tmp")) == []


def test_a_truncated_gguf_is_an_error_with_a_next_step(gguf_file: Path) -> None:
    gguf_file.write_bytes(gguf_file.read_bytes()[:200])
    with pytest.raises((CorruptFileError, UserError), match=r"tiny\.gguf"):
        load_subject(gguf_file)
