"""One latent on a batch of tokens, for any dictionary, without computing the others where possible."""

from __future__ import annotations

import torch
from jaxtyping import Float

from glossator.probes.dictionary import Dictionary, OneFeature
from glossator.probes.raw_neurons import RawNeurons
from glossator.probes.sparse_coder import SparseCoder


@torch.no_grad()
def latent_activation(
    dictionary: Dictionary, feature: int, activations: Float[torch.Tensor, "tokens d_in"]
) -> OneFeature:
    """Activation of `feature` on each token, on the device of `activations`; NaN on tokens that are not
    finite, so that a subject that breaks down shows it in its logits rather than here."""
    x = activations.float()
    finite = x.sum(-1).isfinite()
    if x.shape[0] == 0 or bool(finite.all()):
        return _moved(_activation(dictionary, feature, x), x.device)
    found = _moved(_activation(dictionary, feature, torch.where(finite[:, None], x, 0.0)), x.device)
    return found._replace(values=torch.where(finite, found.values, torch.nan))


def latent_direction(dictionary: Dictionary, feature: int) -> Float[torch.Tensor, " d_out"]:
    """What one unit of `feature` writes at the dictionary's output site; float32."""
    if isinstance(dictionary, RawNeurons):  # its directions are a unit matrix
        return torch.zeros(dictionary.n_features).index_fill(0, torch.tensor(feature), 1.0)
    return dictionary.directions()[feature].detach().float()


def output_width(dictionary: Dictionary) -> int:
    """Width of what `dictionary` writes."""
    return dictionary.d_in if isinstance(dictionary, RawNeurons) else int(dictionary.directions().shape[1])


def _moved(found: OneFeature, device: torch.device) -> OneFeature:
    return OneFeature(found.values.to(device), None if found.units is None else found.units.to(device))


def _activation(dictionary: Dictionary, feature: int, x: Float[torch.Tensor, "tokens d_in"]) -> OneFeature:
    if isinstance(dictionary, SparseCoder):
        return dictionary.encode_one(x, feature)
    if isinstance(dictionary, RawNeurons):
        own = x[:, feature]
        among_best = (x > own[:, None]).sum(1) < dictionary.k
        return OneFeature(torch.where(among_best & (own > 0), own, 0.0), None)
    pairs = dictionary.encode(x)
    mine = pairs.feature == feature
    values = torch.zeros(x.shape[0], device=pairs.value.device)
    return OneFeature(values.index_copy(0, pairs.token[mine], pairs.value[mine]), None)
