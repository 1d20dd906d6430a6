"""What a sparse coder reads for one feature at one token, as weights over its input and a constant."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float

from glossator.errors import UnknownNameError, UserError
from glossator.probes.coder_weights import Activation, InputNorm
from glossator.probes.dictionary import Dictionary
from glossator.probes.sparse_coder import SparseCoder


class FeatureReading(NamedTuple):
    """pre-activation = weights . x + bias, for the one activation vector x that it was made for."""

    weights: Float[torch.Tensor, " d_in"]
    """float32. Where the coder normalises its input, its scale at this token is in here, held fixed."""
    bias: float
    """What the feature has whatever x is: its encoder bias, and the decoder bias where it is subtracted."""


def feature_reading(dictionary: Dictionary, feature: int, x: Float[torch.Tensor, " d_in"]) -> FeatureReading:
    """How `feature` reads `x`.

    Every option of a sparse coder is accounted for: subtracting the decoder bias, rescaling by decoder
    norms, and per-token normalisation (mean and scale measured at `x`: exact there, and a linearisation
    with that scale held fixed elsewhere). For gated coders it is the magnitude, which is the value that
    the feature takes; whether it takes it is decided by the gate.

    Raises:
        UnknownNameError: there is no such feature.
        UserError: the dictionary has no encoder that is linear in its input.
    """
    check_feature(dictionary, feature)
    if not isinstance(dictionary, SparseCoder):
        raise UserError(
            f"{dictionary.name!r} is a {type(dictionary).__name__}, whose features are no linear "
            f"reading of {dictionary.site}: choose a sparse autoencoder or a transcoder"
        )
    weights, options = dictionary.weights, dictionary.options
    row = weights.W_enc[:, feature]
    bias = torch.zeros((), device=row.device) if weights.b_enc is None else weights.b_enc[feature]
    if options.rescale_acts_by_decoder_norm:
        norm = weights.W_dec[feature].norm()
        norm = norm if float(norm) > 0 else torch.ones_like(norm)
        row, bias = row * norm, bias * norm
    if options.apply_b_dec_to_input:
        bias = bias - row @ weights.b_dec
    if options.activation is Activation.GATED:
        assert weights.r_mag is not None, "checked when the weights were"
        assert weights.b_mag is not None, "checked when the weights were"
        gain = weights.r_mag[feature].exp()
        row, bias = row * gain, bias * gain + weights.b_mag[feature]
    return FeatureReading(_through_norm(row, x.to(row), options.input_norm), float(bias))


def _through_norm(
    row: Float[torch.Tensor, " d_in"], x: Float[torch.Tensor, " d_in"], norm: InputNorm
) -> Float[torch.Tensor, " d_in"]:
    """Weights over x of row . normalised(x), with the scale that x has."""
    if norm is InputNorm.LAYER_NORM:
        # row . (x - mean(x)) is (row - mean(row)) . x.
        return (row - row.mean()) / (x.std() + 1e-5)
    if norm is InputNorm.CONSTANT_NORM:
        length = float(x.norm()) / x.shape[0] ** 0.5
        return row / (length or 1.0)
    return row


def check_feature(dictionary: Dictionary, feature: int) -> None:
    """Raises `UnknownNameError` if there is no such feature."""
    if not 0 <= feature < dictionary.n_features:
        raise UnknownNameError(
            f"no feature {feature!r} in {dictionary.name!r}: "
            f"they are numbered 0 to {dictionary.n_features - 1}"
        )
