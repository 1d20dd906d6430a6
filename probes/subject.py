"""The subject: any decoder-only transformers model, read at a site.

One model, one lock: forward hooks fire for every thread that runs the model, so everything that runs
it holds `Subject.lock`. Gradients are off. Padding stands on the right.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from glossator.errors import ProbeError, ShapeMismatchError
from glossator.probes import site_hooks
from glossator.probes.architecture import Decoder, read_architecture
from glossator.probes.checkpoint import DtypeName, load_checkpoint, parse_source, pick_device
from glossator.probes.site_hooks import Edit
from glossator.probes.subject_tokenizer import SubjectTokenizer
from glossator.probes.vocabulary import Vocabulary
from glossator.records import SiteRef

# What changes activations, named one by one: other keys differ between versions of transformers.
_ESSENTIAL = (
    "model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "head_dim", "intermediate_size", "hidden_act", "hidden_activation", "activation_function", "rms_norm_eps",
    "layer_norm_eps", "layer_norm_epsilon", "rope_parameters", "partial_rotary_factor", "rotary_pct",
    "sliding_window", "layer_types", "query_pre_attn_scalar", "attn_logit_softcapping",
    "final_logit_softcapping", "use_parallel_residual", "scale_attn_by_inverse_layer_idx",
    "tie_word_embeddings",
)  # fmt: skip


class SubjectSummary(NamedTuple):
    """What a person wants to know of a subject."""

    name: str
    model_type: str
    n_layers: int
    d_model: int
    vocabulary_size: int
    context_length: int
    parameters: int
    dtype: str
    device: str


class Subject:
    """A loaded model with its tokenizer; satisfies `ReadableSubject`."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        """Wrap a loaded causal language model; raises `UserError` if its shape is not known."""
        self.model, self.tokenizer, self._name = model, tokenizer, name
        self.decoder: Decoder = read_architecture(model)
        self.lock = threading.RLock()
        config = model.config.get_text_config()
        self.n_layers = len(self.decoder.blocks)
        self.d_model = int(config.hidden_size)
        self._texts = SubjectTokenizer(tokenizer, int(config.vocab_size))
        lengths = (
            getattr(config, key, None) for key in ("max_position_embeddings", "n_positions", "max_seq_len")
        )
        self._context_length = next((int(n) for n in lengths if n), 2048)

    @property
    def name(self) -> str:
        """Short name, such as `smollm2-135m`."""
        return self._name

    @property
    def vocabulary(self) -> Vocabulary:
        """Texts of all token ids."""
        return self._texts.vocabulary

    @property
    def n_named_tokens(self) -> int:
        """Ids below this have a token; unembeddings are often padded with more rows."""
        return self._texts.n_named

    @property
    def context_length(self) -> int:
        """The most tokens that it takes at once."""
        return self._context_length

    @property
    def row_prefix(self) -> tuple[int, ...]:
        """What its tokenizer puts before a text by default: the beginning token, or nothing."""
        return self._texts.row_prefix

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self.model.dtype

    def summary(self) -> SubjectSummary:
        """Sizes and settings, for people."""
        parameters = sum(p.numel() for p in self.model.parameters())
        return SubjectSummary(
            self.name, str(self.model.config.model_type), self.n_layers, self.d_model, len(self.vocabulary),
            self.context_length, parameters, str(self.dtype).removeprefix("torch."), str(self.device),
        )  # fmt: skip

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens; text that looks like one stays text."""
        return self._texts.tokenize(texts)

    def site_width(self, site: SiteRef) -> int:
        """Width of the activations at `site`; raises `UnknownNameError` if there is no such site."""
        self._point(site)
        return site_hooks.site_width(self.decoder, site, self.d_model)

    def activations(
        self,
        site: SiteRef,
        ids: Int[torch.Tensor, "batch pos"],
        mask: Int[torch.Tensor, "batch pos"] | None = None,
    ) -> Float[torch.Tensor, "batch pos d"]:
        """Activations at `site`, in the subject's dtype on its device; later blocks do not run.

        Raises:
            UnknownNameError: there is no such site.
            ShapeMismatchError: the rows are longer than the context, or hold ids it does not have.
        """
        point = self._point(site)
        inputs = self._inputs(ids, mask)
        with self.lock, torch.no_grad(), site_hooks.reading(point) as seen:
            try:
                self.decoder.base(**inputs)
            except site_hooks.StopForward:
                return seen[0].reshape(*ids.shape, -1)
        raise ProbeError(f"the forward pass of {self.name} never reached {site}: its blocks do not all run")

    def logits(
        self,
        ids: Int[torch.Tensor, "batch pos"],
        mask: Int[torch.Tensor, "batch pos"] | None = None,
        *,
        site: SiteRef | None = None,
        edit: Edit | None = None,
    ) -> Float[torch.Tensor, "batch pos vocab"]:
        """Next-token logits; with `site` and `edit`, what stands at the site is replaced by `edit` of it.

        Raises:
            UnknownNameError: there is no such site.
            ShapeMismatchError: the rows are longer than the context, or hold ids it does not have.
        """
        if (site is None) != (edit is None):
            raise ValueError("site and edit go together")
        inputs = self._inputs(ids, mask)
        editing = (
            nullcontext() if site is None or edit is None else site_hooks.editing(self._point(site), edit)
        )
        with self.lock, torch.no_grad(), editing:
            return self.model(**inputs).logits

    def fingerprint(self) -> str:
        """SHA-256 over what shapes activations in the configuration, and all weights as loaded."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        config: dict[str, Any] = self.model.config.get_text_config().to_dict()
        digest = hashlib.sha256(repr([(key, config.get(key)) for key in _ESSENTIAL]).encode())
        for part in _tensor_digests(sorted(self.model.named_parameters())):
            digest.update(part)
        return digest.hexdigest()

    def _point(self, site: SiteRef) -> site_hooks.SitePoint:
        return site_hooks.site_point(self.decoder, site, self.name)

    def _inputs(
        self, ids: Int[torch.Tensor, "batch pos"], mask: Int[torch.Tensor, "batch pos"] | None
    ) -> dict[str, Any]:
        if ids.shape[1] > self.context_length:
            raise ShapeMismatchError(
                f"rows of {ids.shape[1]} tokens do not fit {self.name}, which takes {self.context_length}"
            )
        n_ids = int(self.model.config.get_text_config().vocab_size)
        if ids.numel() == 0 or int(ids.min()) < 0 or int(ids.max()) >= n_ids:
            raise ShapeMismatchError(f"token ids for {self.name} must be from 0 to {n_ids - 1}, at least one")
        inputs: dict[str, Any] = {"input_ids": ids.to(self.device), "use_cache": False}
        if mask is not None and not bool((mask == 1).all()):
            inputs["attention_mask"] = mask.to(self.device)
        return inputs


def load_subject(
    source: str | Path,
    *,
    name: str | None = None,
    gguf_file: str | None = None,
    dtype: DtypeName = "auto",
    device: str = "auto",
    cache: Path | None = None,
) -> Subject:
    """Load a subject from a folder, a hub id, a .gguf file, or a folder and the GGUF file's name in it.

    Args:
        source: Folder, hub id or .gguf file.
        name: Short name; by default made from the source.
        gguf_file: Name of the GGUF file where `source` is its folder.
        dtype: `auto` is the checkpoint's own, except fp16 on a CPU (fp32) and GGUF (bf16).
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        cache: Folder in which converted GGUF models are kept; None converts each time.

    Raises:
        UnknownNameError: no such model.
        UserError: not a decoder-only model of a known shape, or a wrong device or dtype.
        CorruptFileError: damaged or incomplete weights.
    """
    where = parse_source(source, gguf_file)
    picked = pick_device(device)
    if where.gguf_file is not None and cache is not None:
        from glossator.probes.gguf_cache import load_gguf

        checkpoint = load_gguf(where, dtype, picked, cache)
    else:
        checkpoint = load_checkpoint(where, dtype, picked)
    stem = where.path.stem if where.gguf_file else where.path.resolve().name
    short = name or re.sub(r"[^\w.+-]+", "-", stem).strip("-").lower() or "subject"
    return Subject(checkpoint.model, checkpoint.tokenizer, short)


def _tensor_digests(tensors: Iterable[tuple[str, torch.Tensor]]) -> Iterable[bytes]:
    """SHA-256 of name, type, shape and bytes of each tensor; in threads, as hashing frees the interpreter."""

    def digest(named: tuple[str, torch.Tensor]) -> bytes:
        name, tensor = named
        head = repr((name, str(tensor.dtype), tuple(tensor.shape))).encode()
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        return hashlib.sha256(head + hashlib.sha256(raw.numpy().data).digest()).digest()

    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(digest, tensors))
