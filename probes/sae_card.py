"""The card of a trained dictionary: what it was trained on and what it measures, as JSON and Markdown."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, Field, JsonValue, ValidationError

from glossator.errors import CorruptFileError
from glossator.probes.atomic_file import written_atomically
from glossator.probes.dictionary_formats.sae_lens import CONFIG
from glossator.probes.dictionary_formats.stored_coder import read_config
from glossator.probes.sae_metrics import SaeMetrics
from glossator.records import Record, SiteRef

JSON_CARD, MARKDOWN_CARD = "card.json", "CARD.md"


class _TrainedMetadata(BaseModel):
    training: dict[str, JsonValue] = Field(default_factory=dict)


class _TrainedConfig(BaseModel):
    metadata: _TrainedMetadata = Field(default_factory=_TrainedMetadata)


class SaeCard(Record):
    """What someone who is given the folder should know."""

    name: str
    """The dictionary's short name."""
    subject: str
    """The subject's short name."""
    subject_fingerprint: str
    """SHA-256 of the subject's weights and configuration."""
    site: SiteRef
    """Where it reads."""
    fingerprint: str
    """SHA-256 of its own weights and settings, as saved."""
    training: dict[str, JsonValue]
    """How it was trained, in the trainer's words."""
    corpus: str
    """The corpus that held-out texts are from."""
    split: str
    """The split that it was measured on."""
    metrics: SaeMetrics
    """Measured after saving, on the saved weights."""


def write_card(folder: Path, card: SaeCard) -> None:
    """Write `card.json` and `CARD.md` into `folder`; raises `StorageError` if that cannot be."""
    with written_atomically(folder / JSON_CARD) as stream:
        stream.write((card.model_dump_json(indent=2) + "\n").encode())
    with written_atomically(folder / MARKDOWN_CARD) as stream:
        stream.write(markdown(card).encode())


def read_card(folder: Path) -> SaeCard | None:
    """The card in `folder`, if there is one; raises `CorruptFileError` if it is damaged."""
    path = folder / JSON_CARD
    if not path.is_file():
        return None
    try:
        return SaeCard.model_validate(json.loads(path.read_bytes()))
    except (ValueError, ValidationError) as exc:
        raise CorruptFileError(
            f"{str(path)!r} is not a card: {exc}; delete it to have it written anew"
        ) from exc


def stored_training(folder: Path) -> dict[str, JsonValue]:
    """How the dictionary in `folder` was trained: from its card, or sae-lens metadata."""
    card = read_card(folder)
    if card is not None:
        return card.training
    if not (folder / CONFIG).is_file():
        return {}
    return read_config(folder / CONFIG, _TrainedConfig).metadata.training


def metric_rows(metrics: SaeMetrics) -> list[tuple[str, str]]:
    """Each measurement in words, with its value."""
    m = metrics
    return [
        ("Features that fire on a token (L0)", f"{m.l0:.1f}"),
        ("Fraction of variance explained", f"{m.explained_variance:.4f}"),
        (
            f"The same without {m.outliers} outliers (norm over 5x median)",
            f"{m.explained_variance_ordinary:.4f}",
        ),
        (
            "Features that fire on none of the tokens",
            f"{m.dead_share:.1%} ({m.features - m.alive} of {m.features})",
        ),
        ("Cross-entropy: clean", f"{m.ce_clean:.4f}"),
        ("Cross-entropy: reconstruction spliced in", f"{m.ce_reconstructed:.4f}"),
        ("Cross-entropy: zeros spliced in", f"{m.ce_ablated:.4f}"),
        ("Cross-entropy recovered", f"{m.ce_recovered:.4f}"),
        ("Tokens; predictions for cross-entropy", f"{m.tokens:,}; {m.ce_tokens:,}"),
    ]


def markdown(card: SaeCard) -> str:
    """The card as Markdown."""
    lines = [f"# {card.name}", "", f"Features of `{card.subject}` at `{card.site}`.", ""]
    lines += [f"Measured on {card.split} text of the corpus `{card.corpus}`, on the saved weights:", ""]
    lines += ["| measurement | value |", "|---|---|"]
    lines += [f"| {label} | {value} |" for label, value in metric_rows(card.metrics)]
    lines += [
        "",
        "First positions and special tokens are left out of all of it: they are not encoded, and keep",
    ]
    lines += ["their own activations where the reconstruction or zeros are spliced in.", "", "Training:", ""]
    lines += [f"- {key}: {value}" for key, value in card.training.items()] or ["- not recorded"]
    lines += ["", f"Weights and settings: `{card.fingerprint}`. Subject: `{card.subject_fingerprint}`.", ""]
    return "\n".join(lines)
