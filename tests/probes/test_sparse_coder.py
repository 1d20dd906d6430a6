"""Encodings worked out by hand, and chunked, fast and exact paths against a dense float64 computation."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import Float

from glossator.errors import CorruptFileError, ProbeError, SettingsError, ShapeMismatchError
from glossator.probes import exact_encoding, fast_topk
from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights, InputNorm
from glossator.probes.dictionary import Dictionary, SparsePairs
from glossator.probes.sparse_coder import SparseCoder
from glossator.records import SiteKind, SiteRef

SITE = SiteRef(layer=1, kind=SiteKind.RESID)
# Two inputs, three features reading x0, x1 and x0 + x1.
W_ENC = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
W_DEC = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 4.0]])  # lengths 2, 1, 5
B_ENC = torch.tensor([0.0, -1.0, 0.5])
B_DEC = torch.tensor([1.0, 0.0])
X = torch.tensor([[2.0, 1.0], [-1.0, 3.0]])


def coder(activation: Activation, *, k: int | None = None, **parts: object) -> SparseCoder:
    options = {n: v for n, v in parts.items() if n in CoderOptions.model_fields}
    tensors = {n: v for n, v in parts.items() if n not in options}
    weights = CoderWeights(**{"W_enc": W_ENC, "W_dec": W_DEC, "b_enc": B_ENC, "b_dec": B_DEC} | tensors)  # pyright: ignore[reportArgumentType]
    settings = CoderOptions.model_validate({"activation": activation, "k": k} | options)
    return SparseCoder(weights, settings, name="tiny", site=SITE)


def triples(pairs: SparsePairs) -> list[tuple[int, int, float]]:
    return [(int(t), int(f), round(float(v), 5)) for t, f, v in zip(*pairs, strict=True)]


def dense(pairs: SparsePairs, shape: tuple[int, int]) -> Float[torch.Tensor, "tokens features"]:
    out = torch.zeros(shape)
    out[pairs.token, pairs.feature] = pairs.value
    return out


# Pre-activations of X without bias subtraction: [2, 0, 3.5] and [-1, 2, 2.5].


def test_relu() -> None:
    assert triples(coder(Activation.RELU).encode(X)) == [(0, 0, 2.0), (0, 2, 3.5), (1, 1, 2.0), (1, 2, 2.5)]


def test_the_decoder_bias_is_subtracted_when_asked() -> None:
    # x - b_dec = [1, 1] and [-2, 3]: pre-activations [1, 0, 2.5] and [-2, 2, 1.5].
    sae = coder(Activation.RELU, apply_b_dec_to_input=True)
    assert triples(sae.encode(X)) == [(0, 0, 1.0), (0, 2, 2.5), (1, 1, 2.0), (1, 2, 1.5)]


def test_topk_keeps_the_largest_and_only_above_zero() -> None:
    assert triples(coder(Activation.TOPK, k=1).encode(X)) == [(0, 2, 3.5), (1, 2, 2.5)]
    assert triples(coder(Activation.TOPK, k=3).encode(X)) == [
        (0, 0, 2.0),
        (0, 2, 3.5),
        (1, 1, 2.0),
        (1, 2, 2.5),
    ]


def test_topk_in_units_of_the_decoder_norm() -> None:
    # Times 2, 1, 5: [4, 0, 17.5] and [-2, 2, 12.5]; directions are unit vectors.
    sae = coder(Activation.TOPK, k=1, rescale_acts_by_decoder_norm=True)
    assert triples(sae.encode(X)) == [(0, 2, 17.5), (1, 2, 12.5)]
    torch.testing.assert_close(sae.directions(), torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
    torch.testing.assert_close(sae.reconstruct(X), torch.tensor([[11.5, 14.0], [8.5, 10.0]]))


def test_batchtopk_without_threshold_pools_over_the_batch() -> None:
    # The two largest of [2, 0, 3.5, -1, 2, 2.5].
    sae = coder(Activation.BATCHTOPK, k=1)
    assert triples(sae.encode(X)) == [(0, 2, 3.5), (1, 2, 2.5)]
    assert triples(sae.encode(torch.tensor([[2.0, 1.0], [0.0, 0.0]]))) == [(0, 0, 2.0), (0, 2, 3.5)]


def test_jumprelu_is_strict() -> None:
    threshold = torch.tensor([2.0, 1.9, 2.5])
    expected = [(0, 2, 3.5), (1, 1, 2.0)]
    assert triples(coder(Activation.JUMPRELU, threshold=threshold).encode(X)) == expected
    assert triples(coder(Activation.BATCHTOPK, threshold=threshold).encode(X)) == expected


def test_a_negative_threshold_lets_nothing_negative_fire() -> None:
    assert triples(coder(Activation.JUMPRELU, threshold=torch.full((3,), -5.0)).encode(X)) == triples(
        coder(Activation.RELU).encode(X)
    )


def test_gated() -> None:
    # x @ W_enc = [2, 1, 3], [-1, 3, 2]. Gate adds [0, -2, -2]: only features 0 and 2 of token 0 and 1 of
    # token 1 are open (2 - 2 = 0 is shut). Magnitude doubles feature 0 and adds [0, 1, -3]: 4, 4, 0.
    sae = coder(
        Activation.GATED,
        b_enc=None,
        r_mag=torch.tensor([2.0, 1.0, 1.0]).log(),
        b_gate=torch.tensor([0.0, -2.0, -2.0]),
        b_mag=torch.tensor([0.0, 1.0, -3.0]),
    )
    assert triples(sae.encode(X)) == [(0, 0, 4.0), (1, 1, 4.0)]


def test_transcoder_with_skip() -> None:
    sae = coder(
        Activation.RELU,
        transcoder=True,
        W_dec=torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        b_dec=torch.tensor([0.0, 0.0, 10.0]),
        W_skip=torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, -1.0]]),
    )
    torch.testing.assert_close(sae.reconstruct(X), torch.tensor([[2.0, 0.0, 14.5], [0.0, 2.0, 8.5]]))
    assert (sae.d_in, sae.d_out, sae.n_features) == (2, 3, 3)


def test_constant_norm_is_undone() -> None:
    # [3, 4] has length 5; scaled to sqrt 2 it is [3, 4] * sqrt(2) / 5.
    sae = coder(
        Activation.RELU, input_norm=InputNorm.CONSTANT_NORM, b_enc=torch.zeros(3), b_dec=torch.zeros(2)
    )
    scale = 2**0.5 / 5
    got = sae.encode(torch.tensor([[3.0, 4.0]]))
    torch.testing.assert_close(got.value, torch.tensor([3.0, 4.0, 7.0]) * scale)
    # 3 * [2, 0] + 4 * [0, 1] + 7 * [3, 4], in the input's own units again.
    torch.testing.assert_close(sae.reconstruct(torch.tensor([[3.0, 4.0]])), torch.tensor([[27.0, 32.0]]))


def test_layer_norm_is_undone() -> None:
    # [1, 3]: mean 2, unbiased deviation sqrt 2, so [-1, 1] / sqrt 2 goes in: only feature 1 fires.
    sae = coder(Activation.RELU, input_norm=InputNorm.LAYER_NORM, b_enc=torch.zeros(3), b_dec=torch.zeros(2))
    x = torch.tensor([[1.0, 3.0]])
    got = sae.encode(x)
    assert got.feature.tolist() == [1]
    torch.testing.assert_close(got.value, torch.tensor([0.5**0.5]), atol=1e-4, rtol=0)
    torch.testing.assert_close(sae.reconstruct(x), torch.tensor([[2.0, 3.0]]), atol=1e-4, rtol=0)


def test_a_token_where_nothing_fires_and_an_empty_batch() -> None:
    sae = coder(Activation.RELU)
    silent = torch.tensor([[-9.0, -9.0]])
    assert triples(sae.encode(silent)) == []
    torch.testing.assert_close(sae.reconstruct(silent), B_DEC[None])
    for activation in (Activation.RELU, Activation.TOPK, Activation.BATCHTOPK):
        assert triples(coder(activation, k=2).encode(torch.zeros(0, 2))) == []


def random_coder(
    activation: Activation, features: int, *, k: int = 24, d: int = 64, seed: int = 0
) -> SparseCoder:
    gen = torch.Generator().manual_seed(seed)
    weights = CoderWeights(
        W_enc=torch.randn(d, features, generator=gen) / d**0.5,
        W_dec=torch.randn(features, d, generator=gen),
        b_enc=torch.randn(features, generator=gen) * 0.1,
        b_dec=torch.randn(d, generator=gen),
        threshold=torch.rand(features, generator=gen) + 1 if activation is Activation.JUMPRELU else None,
    )
    options = CoderOptions(activation=activation, k=k, apply_b_dec_to_input=True)
    return SparseCoder(weights, options, name="random", site=SITE)


def dense_topk(sae: SparseCoder, x: torch.Tensor, k: int) -> Float[torch.Tensor, "tokens features"]:
    w = sae.weights
    assert w.b_enc is not None
    pre = (x.double() - w.b_dec.double()) @ w.W_enc.double() + w.b_enc.double()
    top = pre.topk(k)
    return torch.zeros_like(pre).scatter_(1, top.indices, top.values.relu()).float()


@pytest.mark.parametrize(
    "activation", [Activation.RELU, Activation.TOPK, Activation.BATCHTOPK, Activation.JUMPRELU]
)
def test_chunking_changes_nothing(activation: Activation, monkeypatch: pytest.MonkeyPatch) -> None:
    sae = random_coder(activation, 300, k=7)
    x = torch.randn(50, 64, generator=torch.Generator().manual_seed(1))
    whole = sae.encode(x)
    monkeypatch.setattr(exact_encoding, "CHUNK", 64)
    monkeypatch.setattr(exact_encoding, "CELLS", 64 * 8)
    chunked = sae.encode(x)
    assert torch.equal(whole.token, chunked.token)
    assert torch.equal(whole.feature, chunked.feature)
    torch.testing.assert_close(whole.value, chunked.value, atol=1e-6, rtol=1e-6)
    assert len(whole.value) > 50


def test_topk_against_a_dense_computation() -> None:
    sae = random_coder(Activation.TOPK, 300, k=7)
    x = torch.randn(50, 64, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(dense(sae.encode(x), (50, 300)), dense_topk(sae, x, 7), atol=1e-5, rtol=1e-5)


def encode_fast_agrees(sae: SparseCoder, x: torch.Tensor, near_zero: float = 0.0) -> None:
    """Same pairs and values, apart from activations below `near_zero`, which rounding may lose."""
    exact, fast = sae.encode(x), sae.encode_fast(x)
    shape = (x.shape[0], sae.n_features)
    a, b = dense(exact, shape), dense(fast, shape)
    both = (a > 0) & (b > 0)
    torch.testing.assert_close(a[both], b[both], atol=1e-6, rtol=1e-6)
    assert float((a - b).abs().max()) <= max(near_zero, 1e-5)
    for axis in range(2 if near_zero == 0 else 0):
        assert torch.equal(exact[axis], fast[axis])


def test_encode_fast_is_encode() -> None:
    sae = random_coder(Activation.TOPK, 8192)
    assert fast_topk.worthwhile(8192, 24)
    encode_fast_agrees(sae, torch.randn(300, 64, generator=torch.Generator().manual_seed(3)))


def test_encode_fast_over_feature_chunks_and_token_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    sae = random_coder(Activation.TOPK, 5000)  # 5000 = 2 * 2048 + 904: an uneven last chunk
    x = torch.randn(100, 64, generator=torch.Generator().manual_seed(4))
    monkeypatch.setattr(fast_topk, "CHUNK", 2048)
    monkeypatch.setattr(fast_topk, "CELLS", 2048 * 16)
    encode_fast_agrees(sae, x)


def test_encode_fast_where_few_or_no_features_are_positive() -> None:
    sae = random_coder(Activation.TOPK, 4096)
    assert sae.weights.b_enc is not None
    weights = CoderWeights(**sae.weights.named() | {"b_enc": sae.weights.b_enc - 3})
    shy = SparseCoder(weights, sae.options, name="shy", site=SITE)
    x = torch.randn(64, 64, generator=torch.Generator().manual_seed(5)) + sae.weights.b_dec
    assert 0 < len(shy.encode(x).value) < 24 * 64 / 2
    encode_fast_agrees(shy, x, near_zero=0.02)


def test_encode_fast_keeps_k_of_exactly_tied_features() -> None:
    sae = random_coder(Activation.TOPK, 4096, k=4)
    same = CoderWeights(**sae.weights.named() | {"W_enc": torch.ones(64, 4096), "b_enc": torch.zeros(4096)})
    tied = SparseCoder(same, sae.options, name="tied", site=SITE)
    got = tied.encode_fast(sae.weights.b_dec + torch.ones(3, 64))
    assert torch.bincount(got.token).tolist() == [4, 4, 4]
    assert got.value.unique().tolist() == [64.0]


def test_the_accelerator_path_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    sae = random_coder(Activation.TOPK, 4096)
    x = torch.randn(40, 64, generator=torch.Generator().manual_seed(6))
    monkeypatch.setattr(fast_topk, "_block_top_k_cpu", fast_topk._block_top_k_accelerator)
    monkeypatch.setattr(fast_topk, "CHUNK", 2048)
    encode_fast_agrees(sae, x)


def test_half_precision_activations_are_read_as_float32() -> None:
    sae = random_coder(Activation.TOPK, 300, k=7)
    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(7)).bfloat16()
    assert torch.equal(sae.encode(x).value, sae.encode(x.float()).value)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ShapeMismatchError, match=r"3 wide.*reads 2 values at 1\.resid"):
        coder(Activation.RELU).encode(torch.zeros(1, 3))
    with pytest.raises(
        ShapeMismatchError, match=r"b_enc of 'tiny' has shape \[2\], but \[3\] fits W_enc \[2, 3\]"
    ):
        coder(Activation.RELU, b_enc=torch.zeros(2))
    with pytest.raises(ShapeMismatchError, match=r"W_dec of 'tiny' has shape \[4, 2\].*\[3, 2\]"):
        coder(Activation.RELU, W_dec=torch.zeros(4, 2))
    with pytest.raises(ShapeMismatchError, match="only a transcoder"):
        coder(Activation.RELU, W_dec=torch.zeros(3, 5), b_dec=torch.zeros(5))
    with pytest.raises(CorruptFileError, match="W_enc of 'tiny' holds 1 values that are NaN"):
        coder(Activation.RELU, W_enc=torch.tensor([[1.0, 0, float("nan")], [0, 0, 0]]))
    with pytest.raises(CorruptFileError, match="no tensor threshold, which jumprelu coders need"):
        coder(Activation.JUMPRELU)
    with pytest.raises(SettingsError, match="k=4 but only 3 features"):
        coder(Activation.TOPK, k=4)
    with pytest.raises(ProbeError, match="NaN or infinities"):
        coder(Activation.RELU).encode(torch.tensor([[float("nan"), 0.0]]))


def test_the_fingerprint_follows_weights_and_options() -> None:
    first = coder(Activation.TOPK, k=1)
    assert first.fingerprint() == coder(Activation.TOPK, k=1).fingerprint()
    assert first.fingerprint() != coder(Activation.TOPK, k=2).fingerprint()
    assert first.fingerprint() != coder(Activation.TOPK, k=1, b_enc=B_ENC + 1).fingerprint()
    assert len(first.fingerprint()) == 64


def test_it_is_a_dictionary() -> None:
    found: Dictionary = coder(Activation.RELU)
    assert found.output_site == found.site == SITE
