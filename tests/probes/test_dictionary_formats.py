"""Folders written here by hand, in each format, against the format's own formulas written out again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from glossator.errors import (
    CorruptFileError,
    SettingsError,
    ShapeMismatchError,
    StorageError,
    UnknownNameError,
)
from glossator.probes.dictionary import Dictionary, SparsePairs
from glossator.probes.dictionary_formats import load_dictionary
from glossator.probes.dictionary_formats.hook_names import site_of_hook
from glossator.probes.raw_neurons import RawNeurons
from glossator.records import SiteKind, SiteRef

D, F = 6, 20
SITE = SiteRef(layer=12, kind=SiteKind.RESID)


def randn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


X = randn(9, D, seed=0)


def dense(pairs: SparsePairs) -> torch.Tensor:
    out = torch.zeros(len(X), F)
    out[pairs.token, pairs.feature] = pairs.value
    return out


def agrees(found: Dictionary, features: torch.Tensor, reconstruction: torch.Tensor) -> None:
    torch.testing.assert_close(dense(found.encode(X)), features, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.reconstruct(X), reconstruction, atol=1e-5, rtol=1e-5)
    assert int((features > 0).sum()) > 10


def sae_lens_folder(
    folder: Path, config: dict[str, object], half: bool = False, **extra: torch.Tensor
) -> dict[str, torch.Tensor]:
    tensors = {"W_enc": randn(D, F, seed=1), "W_dec": randn(F, D, seed=2), "b_dec": randn(D, seed=3)}
    tensors |= {"b_enc": randn(F, seed=4)} | extra
    tensors = {n: t.half() if half else t for n, t in tensors.items()}
    save_file(tensors, folder / "sae_weights.safetensors")
    base = {
        "d_in": D,
        "d_sae": F,
        "metadata": {"hook_name": "blocks.12.hook_resid_post", "sae_lens_version": "6.54.12"},
    }
    (folder / "cfg.json").write_text(json.dumps(base | config))
    return {n: t.float() for n, t in tensors.items()}


def test_sae_lens_topk_in_half_precision(tmp_path: Path) -> None:
    config: dict[str, object] = {"architecture": "topk", "k": 3, "apply_b_dec_to_input": True}
    t = sae_lens_folder(tmp_path, config | {"rescale_acts_by_decoder_norm": True}, half=True)
    norms = t["W_dec"].norm(dim=1)
    pre = ((X - t["b_dec"]) @ t["W_enc"] + t["b_enc"]) * norms
    top = pre.topk(3)
    features = torch.zeros_like(pre).scatter_(1, top.indices, top.values.relu())
    found = load_dictionary(tmp_path)
    agrees(found, features, (features / norms) @ t["W_dec"] + t["b_dec"])
    assert (found.name, found.site, found.output_site) == ("12-resid-20", SITE, SITE)
    torch.testing.assert_close(found.directions().norm(dim=1), torch.ones(F))


def test_sae_lens_before_version_6(tmp_path: Path) -> None:
    # The hook and the activation function stand at the top level; a pre hook is what block 11 put out.
    config: dict[str, object] = {
        "metadata": {},
        "hook_name": "blocks.12.hook_resid_pre",
        "activation_fn_str": "topk",
        "activation_fn_kwargs": {"k": 2},
        "apply_b_dec_to_input": False,
        "normalize_activations": False,
    }
    t = sae_lens_folder(tmp_path, config)
    top = (X @ t["W_enc"] + t["b_enc"]).topk(2)
    features = torch.zeros(len(X), F).scatter_(1, top.indices, top.values.relu())
    found = load_dictionary(tmp_path, name="old")
    agrees(found, features, features @ t["W_dec"] + t["b_dec"])
    assert (found.name, found.site) == ("old", SiteRef(layer=11, kind=SiteKind.RESID))


def test_sae_lens_transcoder_writes_elsewhere(tmp_path: Path) -> None:
    metadata = {"hook_name": "blocks.3.hook_resid_post", "hook_name_out": "blocks.4.hook_mlp_out"}
    config: dict[str, object] = {"architecture": "skip_transcoder", "d_out": 4, "metadata": metadata}
    w_dec, b_dec, w_skip = randn(F, 4, seed=5), randn(4, seed=6), randn(4, D, seed=7)
    t = sae_lens_folder(tmp_path, config, W_dec=w_dec, b_dec=b_dec, W_skip=w_skip)
    features = (X @ t["W_enc"] + t["b_enc"]).relu()
    found = load_dictionary(tmp_path)
    agrees(found, features, features @ t["W_dec"] + t["b_dec"] + X @ t["W_skip"].T)
    assert (str(found.site), str(found.output_site)) == ("3.resid", "4.mlp_out")


def sparsify_folder(folder: Path, **config: object) -> dict[str, torch.Tensor]:
    folder.mkdir()
    tensors = {"encoder.weight": randn(F, D, seed=1), "encoder.bias": randn(F, seed=2)}
    tensors |= {"W_dec": randn(F, D, seed=3), "b_dec": randn(D, seed=4), "W_skip": randn(D, D, seed=5)}
    if not config.get("transcode"):
        del tensors["W_skip"]
    save_file(tensors, folder / "sae.safetensors")
    (folder / "cfg.json").write_text(json.dumps({"d_in": D, "k": 4, "num_latents": 0} | config))
    return tensors


def test_sparsify(tmp_path: Path) -> None:
    t = sparsify_folder(tmp_path / "layers.12")
    top = ((X - t["b_dec"]) @ t["encoder.weight"].T + t["encoder.bias"]).relu().topk(4)
    features = torch.zeros(len(X), F).scatter_(1, top.indices, top.values)
    found = load_dictionary(str(tmp_path / "layers.12"))
    agrees(found, features, features @ t["W_dec"] + t["b_dec"])
    assert found.site == SITE


def test_sparsify_transcoder_needs_its_site_named(tmp_path: Path) -> None:
    t = sparsify_folder(tmp_path / "layers.12.mlp", transcode=True, skip_connection=True)
    with pytest.raises(UnknownNameError, match=r"the input of layers\.12\.mlp.*--site LAYER\.KIND"):
        load_dictionary(tmp_path / "layers.12.mlp")
    top = (X @ t["encoder.weight"].T + t["encoder.bias"]).relu().topk(4)
    features = torch.zeros(len(X), F).scatter_(1, top.indices, top.values)
    found = load_dictionary(tmp_path / "layers.12.mlp", site=SITE)
    agrees(found, features, features @ t["W_dec"] + t["b_dec"] + X @ t["W_skip"].T)
    assert (str(found.site), str(found.output_site)) == ("12.resid", "12.mlp_out")


def test_gemma_scope(tmp_path: Path) -> None:
    folder = tmp_path / "gemma-scope-2b-pt-res" / "layer_20" / "width_16k" / "average_l0_71"
    folder.mkdir(parents=True)
    t = {"W_enc": randn(D, F, seed=1), "W_dec": randn(F, D, seed=2), "b_enc": randn(F, seed=3)}
    t |= {"b_dec": randn(D, seed=4), "threshold": torch.full((F,), 0.7)}
    arrays = {n: v.numpy() for n, v in t.items()}
    np.savez(folder / "params.npz", allow_pickle=False, **arrays)
    pre = X @ t["W_enc"] + t["b_enc"]
    features = pre.relu() * (pre > 0.7)
    found = load_dictionary(folder)
    agrees(found, features, features @ t["W_dec"] + t["b_dec"])
    assert str(found.site) == "20.resid"
    elsewhere = tmp_path / "mine"
    elsewhere.mkdir()
    (folder / "params.npz").rename(elsewhere / "params.npz")
    with pytest.raises(UnknownNameError, match="--site"):
        load_dictionary(elsewhere)


def dictionary_learning_folder(folder: Path, kind: str, state: dict[str, torch.Tensor]) -> None:
    torch.save(state, folder / "ae.pt")
    trainer = {"dict_class": kind, "k": 3, "layer": 12, "submodule_name": "resid_post_layer_12"}
    (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"ctx_len": 128}}))


LINEAR = {"encoder.weight": randn(F, D, seed=1), "decoder.weight": randn(D, F, seed=2)}


def test_dictionary_learning_topk_ignores_its_saved_threshold(tmp_path: Path) -> None:
    rest = {"encoder.bias": randn(F, seed=3), "b_dec": randn(D, seed=4), "threshold": torch.tensor(1e9)}
    dictionary_learning_folder(tmp_path, "AutoEncoderTopK", LINEAR | rest | {"k": torch.tensor(3)})
    top = ((X - rest["b_dec"]) @ LINEAR["encoder.weight"].T + rest["encoder.bias"]).relu().topk(3)
    features = torch.zeros(len(X), F).scatter_(1, top.indices, top.values)
    found = load_dictionary(tmp_path)
    agrees(found, features, features @ LINEAR["decoder.weight"].T + rest["b_dec"])
    assert found.site == SITE


def test_dictionary_learning_standard(tmp_path: Path) -> None:
    rest = {"encoder.bias": randn(F, seed=3), "bias": randn(D, seed=4)}
    dictionary_learning_folder(tmp_path, "AutoEncoder", LINEAR | rest)
    features = ((X - rest["bias"]) @ LINEAR["encoder.weight"].T + rest["encoder.bias"]).relu()
    agrees(load_dictionary(tmp_path), features, features @ LINEAR["decoder.weight"].T + rest["bias"])


def test_dictionary_learning_batchtopk_uses_its_threshold(tmp_path: Path) -> None:
    state = {"W_enc": randn(D, F, seed=1), "W_dec": randn(F, D, seed=2), "b_enc": randn(F, seed=3)}
    state |= {"b_dec": randn(D, seed=4), "threshold": torch.tensor(0.9), "k": torch.tensor(3)}
    dictionary_learning_folder(tmp_path, "MatryoshkaBatchTopKSAE", state)
    pre = ((X - state["b_dec"]) @ state["W_enc"] + state["b_enc"]).relu()
    features = pre * (pre > 0.9)
    agrees(load_dictionary(tmp_path), features, features @ state["W_dec"] + state["b_dec"])


def test_dictionary_learning_gated_in_decoder_units(tmp_path: Path) -> None:
    rest = {"r_mag": randn(F, seed=3), "gate_bias": randn(F, seed=4), "mag_bias": randn(F, seed=5)}
    rest |= {"decoder_bias": randn(D, seed=6)}
    dictionary_learning_folder(tmp_path, "GatedAutoEncoder", LINEAR | rest)
    norms = LINEAR["decoder.weight"].norm(dim=0)
    read = (X - rest["decoder_bias"]) @ LINEAR["encoder.weight"].T
    magnitude = (rest["r_mag"].exp() * read + rest["mag_bias"]).relu()
    features = (read + rest["gate_bias"] > 0) * magnitude * norms
    reconstruction = (features / norms) @ LINEAR["decoder.weight"].T + rest["decoder_bias"]
    agrees(load_dictionary(tmp_path), features, reconstruction)


def test_dictionary_learning_jumprelu_in_decoder_units(tmp_path: Path) -> None:
    state = {"W_enc": randn(D, F, seed=1), "W_dec": randn(F, D, seed=2), "b_enc": randn(F, seed=3)}
    state |= {"b_dec": randn(D, seed=4), "threshold": torch.rand(F)}
    dictionary_learning_folder(tmp_path, "JumpReluAutoEncoder", state)
    norms, pre = state["W_dec"].norm(dim=1), X @ state["W_enc"] + state["b_enc"]
    features = (pre * (pre > state["threshold"])).relu() * norms
    agrees(load_dictionary(tmp_path), features, (features / norms) @ state["W_dec"] + state["b_dec"])


def test_damaged_files_are_told_from_missing_ones(tmp_path: Path) -> None:
    sae_lens_folder(tmp_path, {"architecture": "topk", "k": 3})
    weights = tmp_path / "sae_weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptFileError, match=r"sae_weights\.safetensors is truncated or damaged"):
        load_dictionary(tmp_path)
    weights.write_bytes(whole)
    (tmp_path / "cfg.json").write_text('{"architecture": "topk", "k":')
    with pytest.raises(CorruptFileError, match=r"cfg\.json is not the configuration"):
        load_dictionary(tmp_path)
    (tmp_path / "cfg.json").write_text('{"architecture": "topk", "k": "many"}')
    with pytest.raises(CorruptFileError, match=r"cfg\.json is not the configuration"):
        load_dictionary(tmp_path)


def test_a_damaged_npz_or_pickle(tmp_path: Path) -> None:
    (tmp_path / "params.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(CorruptFileError, match=r"params\.npz is truncated"):
        load_dictionary(tmp_path, site=SITE)
    (tmp_path / "params.npz").unlink()
    dictionary_learning_folder(tmp_path, "AutoEncoder", LINEAR)
    (tmp_path / "ae.pt").write_bytes((tmp_path / "ae.pt").read_bytes()[:200])
    with pytest.raises(CorruptFileError, match=r"ae\.pt is truncated"):
        load_dictionary(tmp_path)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    dictionary_learning_folder(tmp_path, "AutoEncoder", LINEAR)
    torch.save({"encoder.weight": Path("anything")}, tmp_path / "ae.pt")
    with pytest.raises(CorruptFileError, match="not a plain state of tensors"):
        load_dictionary(tmp_path)


def test_a_missing_tensor_and_one_that_does_not_fit(tmp_path: Path) -> None:
    sae_lens_folder(tmp_path, {"architecture": "jumprelu"})
    with pytest.raises(CorruptFileError, match="no tensor threshold"):
        load_dictionary(tmp_path)
    sae_lens_folder(tmp_path, {"architecture": "standard"}, b_enc=torch.zeros(F + 1))
    with pytest.raises(ShapeMismatchError, match=r"b_enc of '12-resid-20' has shape \[21\], but \[20\] fits"):
        load_dictionary(tmp_path)


def test_what_is_not_supported_is_named(tmp_path: Path) -> None:
    sae_lens_folder(tmp_path, {"architecture": "matching_pursuit"})
    with pytest.raises(SettingsError, match=r"'matching_pursuit'.*supported are standard"):
        load_dictionary(tmp_path)
    with pytest.raises(UnknownNameError, match="no folder"):
        load_dictionary(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnknownNameError, match="no known format: it holds nothing"):
        load_dictionary(tmp_path / "empty")


def test_an_unreadable_file_is_a_storage_error(tmp_path: Path) -> None:
    sae_lens_folder(tmp_path, {"architecture": "topk", "k": 3})
    from glossator.probes.dictionary_formats.stored_coder import read_safetensors

    with pytest.raises(StorageError, match="cannot read"):
        read_safetensors(tmp_path / "gone.safetensors")


@pytest.mark.parametrize(
    ("hook", "site"),
    [
        ("blocks.0.hook_resid_post", "0.resid"),
        ("blocks.7.hook_mlp_out", "7.mlp_out"),
        ("blocks.7.mlp.hook_post", "7.mlp_hidden"),
        ("blocks.7.attn.hook_z", "7.attn_z"),
        ("model.layers.12", "12.resid"),
        ("layers.12.mlp", "12.mlp_out"),
        ("transformer.h.5", "5.resid"),
        ("gpt_neox.layers.3.mlp", "3.mlp_out"),
        ("model.layers.12.output", "12.resid"),
        ("blocks.0.hook_resid_pre", None),
        ("blocks.3.ln2.hook_normalized", None),
        ("model.layers.3.self_attn", None),
        ("embeddings", None),
    ],
)
def test_hook_names(hook: str, site: str | None) -> None:
    assert site_of_hook(hook) == (None if site is None else SiteRef.parse(site))


def test_raw_neurons_fire_where_positive_and_among_the_largest() -> None:
    neurons = RawNeurons(layer=3, width=4, k=2)
    x = torch.tensor([[1.0, -2.0, 3.0, 2.0], [-1.0, -2.0, 0.5, -3.0], [-1.0, -1.0, -1.0, 0.0]])
    pairs = neurons.encode(x)
    assert list(zip(pairs.token.tolist(), pairs.feature.tolist(), pairs.value.tolist(), strict=True)) == [
        (0, 2, 3.0),
        (0, 3, 2.0),
        (1, 2, 0.5),
    ]
    assert neurons.reconstruct(x)[0].tolist() == [0.0, 0.0, 3.0, 2.0]
    assert torch.equal(neurons.directions(), torch.eye(4))
    assert str(neurons.site) == "3.mlp_hidden"
    with pytest.raises(ShapeMismatchError, match="5 wide"):
        neurons.encode(torch.zeros(1, 5))


def test_neurons_by_spec() -> None:
    found = load_dictionary("neurons:12", width=32)
    assert (found.name, found.n_features) == ("12-neurons", 32)
    assert found.fingerprint() != load_dictionary("neurons:11", width=32).fingerprint()
    with pytest.raises(SettingsError, match="needs the width"):
        load_dictionary("neurons:12")
    with pytest.raises(UnknownNameError, match="neurons:LAYER"):
        load_dictionary("neurons:last", width=32)
