"""The same weights, saved by sae-lens and sparsify themselves, give the same numbers here as there.

One process, one import: sae-lens takes seconds to import.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from glossator.probes.dictionary import Dictionary
from glossator.probes.dictionary_formats import load_dictionary
from glossator.probes.sparse_coder import SparseCoder
from glossator.records import SiteRef

pytestmark = pytest.mark.slow
D, F, TOKENS = 24, 96, 50


def randomised(module: torch.nn.Module, seed: int) -> None:
    gen = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            scale = 0.2 if parameter.ndim == 1 else 1 / parameter.shape[0] ** 0.5
            parameter.copy_(torch.randn(parameter.shape, generator=gen) * scale)
            if name == "threshold":
                parameter.abs_()


def inputs() -> torch.Tensor:
    return torch.randn(TOKENS, D, generator=torch.Generator().manual_seed(9)) * 2 + 0.5


def dense(found: Dictionary, x: torch.Tensor) -> torch.Tensor:
    pairs = found.encode(x)
    out = torch.zeros(len(x), found.n_features)
    out[pairs.token, pairs.feature] = pairs.value
    return out


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs.detach().to_dense(), atol=1e-5, rtol=1e-5)


SAE_LENS: list[tuple[str, dict[str, Any]]] = [
    ("standard", {}),
    ("standard", {"apply_b_dec_to_input": False}),
    ("standard", {"normalize_activations": "layer_norm"}),
    ("standard", {"normalize_activations": "constant_norm_rescale"}),
    ("gated", {}),
    ("topk", {"k": 7}),
    ("topk", {"k": 7, "rescale_acts_by_decoder_norm": True}),
    ("jumprelu", {}),
    ("transcoder", {"d_out": 10, "apply_b_dec_to_input": False}),
    ("skip_transcoder", {"d_out": 10, "apply_b_dec_to_input": False}),
    ("jumprelu_transcoder", {"d_out": 10, "apply_b_dec_to_input": False}),
    ("jumprelu_skip_transcoder", {"d_out": 10, "apply_b_dec_to_input": False}),
]


@pytest.mark.parametrize(("architecture", "settings"), SAE_LENS)
def test_sae_lens(architecture: str, settings: dict[str, Any], tmp_path: Path) -> None:
    from sae_lens import SAE

    hooks = {"hook_name": "blocks.5.hook_resid_post"}
    if "transcoder" in architecture:
        hooks["hook_name_out"] = "blocks.6.hook_mlp_out"
    config = {"architecture": architecture, "d_in": D, "d_sae": F, "metadata": hooks}
    theirs = SAE.from_dict(config | settings)
    randomised(theirs, seed=3)
    theirs.save_model(tmp_path)
    ours, x = load_dictionary(tmp_path), inputs()
    close(dense(ours, x), theirs.encode(x))
    close(ours.reconstruct(x), theirs(x))
    assert ours.site == SiteRef.parse("5.resid")
    assert int((dense(ours, x) > 0).sum()) > TOKENS


@pytest.mark.parametrize(
    "architecture", ["standard", "gated", "topk", "jumprelu", "batchtopk", "matryoshka_batchtopk"]
)
def test_sae_lens_as_it_saves_what_it_trained(architecture: str, tmp_path: Path) -> None:
    from sae_lens import SAE, TrainingSAE

    settings: dict[str, Any] = {"architecture": architecture, "d_in": D, "d_sae": F}
    if "topk" in architecture:
        settings["k"] = 7 if architecture == "topk" else 7.0
    if architecture == "matryoshka_batchtopk":
        settings["matryoshka_widths"] = [32, F]
    trained = TrainingSAE.from_dict(settings)
    randomised(trained, seed=4)
    if "batchtopk" in architecture:
        trained.topk_threshold = torch.tensor(0.8, dtype=torch.double)
    trained.save_inference_model(tmp_path)
    theirs = SAE.load_from_disk(tmp_path)
    ours, x = load_dictionary(tmp_path, site=SiteRef.parse("5.resid")), inputs()
    close(dense(ours, x), theirs.encode(x))
    close(ours.reconstruct(x), theirs(x))
    expected = (
        "jumprelu" if "batchtopk" in architecture else {"standard": "relu"}.get(architecture, architecture)
    )
    assert isinstance(ours, SparseCoder)
    assert ours.options.activation == expected


@pytest.mark.parametrize(
    "settings",
    [{}, {"transcode": True}, {"transcode": True, "skip_connection": True}],
    ids=["sae", "transcoder", "skip"],
)
def test_sparsify(settings: dict[str, bool], tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sparsify.config import SparseCoderConfig
        from sparsify.sparse_coder import SparseCoder as Theirs

    theirs = Theirs(D, SparseCoderConfig.from_dict({"expansion_factor": 4, "k": 6} | settings))
    randomised(theirs, seed=5)
    folder = tmp_path / "layers.5.mlp"
    theirs.save_to_disk(folder)
    ours, x = load_dictionary(folder, site=SiteRef.parse("5.mlp_out")), inputs()
    encoded = theirs.encode(x)
    close(dense(ours, x), torch.zeros(TOKENS, F).scatter_(1, encoded.top_indices, encoded.top_acts))
    close(ours.reconstruct(x), theirs(x).sae_out)
    assert str(ours.output_site) == "5.mlp_out"


def test_registry_names_are_checked_without_fetching() -> None:
    from glossator.errors import UnknownNameError

    with pytest.raises(UnknownNameError, match=r"saelens:no-such-release/x"):
        load_dictionary("saelens:no-such-release/x")
    with pytest.raises(UnknownNameError, match="saelens:RELEASE/ID"):
        load_dictionary("saelens:only-release")
