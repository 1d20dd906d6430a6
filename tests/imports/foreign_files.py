"""Files as Neuronpedia's and Delphi's own writers leave them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_batch(
    folder: Path, number: int, rows: Sequence[Mapping[str, object] | str], *, gz: bool = True
) -> Path:
    """One batch of rows; a text is a line as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    content = "".join(line + "\n" for line in lines).encode()
    path = folder / f"batch-{number}.jsonl{'.gz' if gz else ''}"
    path.write_bytes(gzip.compress(content) if gz else content)
    return path


def explanation(index: int | str, text: str, /, **more: object) -> dict[str, object]:
    """A row as `export-data.py` writes it."""
    return {
        "id": "c" + hashlib.sha256(f"{index} {text}".encode()).hexdigest()[:24],
        "modelId": "gpt2-small",
        "layer": "6-res-jb",
        "index": str(index),
        "authorId": "clkht01d40000jv08hvalcvly",
        "description": text,
        "embedding": "[0.1,0.2]",
        "typeName": "oai_token-act-pair",
        "explanationModelName": "gpt-4o-mini",
        "umap_x": 0,
        "umap_y": 0,
        "umap_cluster": 0,
        "umap_log_feature_sparsity": 0,
    } | more


def delphi_run(folder: Path, labels: Mapping[int, str], hookpoint: str = "layers.5") -> Path:
    """The explanations of a run, as `explainer_postprocess` writes them."""
    (folder / "explanations").mkdir(parents=True, exist_ok=True)
    for index, text in labels.items():
        path = folder / "explanations" / f"{hookpoint}_latent{index}.txt"
        path.write_text(json.dumps(text, ensure_ascii=False))
    return folder


def delphi_scores(
    folder: Path,
    scorer: str,
    index: int,
    answers: Sequence[tuple[bool, bool | None]],
    hookpoint: str = "layers.5",
) -> Path:
    """A file of `ClassifierOutput`: what was true and what was said."""
    path = folder / "scores" / scorer / f"{hookpoint}_latent{index}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"str_tokens": ["a", "b"], "activations": [0.0, 1.0], "distance": 3, "activating": fires,
         "prediction": said, "probability": None, "correct": None if said is None else said == fires}
        for fires, said in answers
    ]  # fmt: skip
    path.write_text(json.dumps(rows))
    return path
