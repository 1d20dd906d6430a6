"""From the names that tools give to places in a model, to sites.

Two ways of naming are understood: TransformerLens hooks (`blocks.12.hook_resid_post`) and module
paths of transformers models (`model.layers.12.mlp`, `transformer.h.5`), where a module stands for its
output.
"""

from __future__ import annotations

import re

from glossator.records import SiteKind, SiteRef

_LENS_HOOKS = {
    "hook_resid_post": SiteKind.RESID,
    "hook_mlp_out": SiteKind.MLP_OUT,
    "mlp.hook_post": SiteKind.MLP_HIDDEN,
    "attn.hook_z": SiteKind.ATTN_Z,
}
_MODULES = {"": SiteKind.RESID, "mlp": SiteKind.MLP_OUT}
_BLOCK_LISTS = r"(?:model\.|transformer\.|gpt_neox\.|language_model\.|decoder\.)*(?:layers|h|blocks)"


def site_of_hook(hook: str) -> SiteRef | None:
    """The site that `hook` names, or None if it is none of ours (attention outputs, MLP inputs)."""
    lens = re.fullmatch(r"blocks\.(\d+)\.(.+)", hook)
    if lens is not None:
        return _lens_site(int(lens[1]), lens[2])
    module = re.fullmatch(rf"{_BLOCK_LISTS}\.(\d+)(?:\.(.+))?", hook.removesuffix(".output"))
    if module is None or (module[2] or "") not in _MODULES:
        return None
    return SiteRef(layer=int(module[1]), kind=_MODULES[module[2] or ""])


def _lens_site(layer: int, rest: str) -> SiteRef | None:
    if rest == "hook_resid_pre" and layer > 0:  # what the block before put out
        return SiteRef(layer=layer - 1, kind=SiteKind.RESID)
    return SiteRef(layer=layer, kind=_LENS_HOOKS[rest]) if rest in _LENS_HOOKS else None
