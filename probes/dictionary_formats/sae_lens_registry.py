"""Coders by their name in the registry of sae-lens: `saelens:RELEASE/ID`. Needs the extra `saelens`.

sae-lens downloads and converts them (Gemma Scope, Llama Scope and others); only the tensors and the
configuration are taken over, nothing of it runs afterwards.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from glossator.errors import AssetError, CorruptFileError, MissingExtraError, UnknownNameError
from glossator.probes.dictionary_formats.sae_lens import SaeLensConfig, stored_coder
from glossator.probes.dictionary_formats.stored_coder import StoredCoder

PREFIX = "saelens:"


def read(spec: str) -> StoredCoder:
    """Fetch `saelens:RELEASE/ID`.

    Raises:
        MissingExtraError: sae-lens is not installed.
        UnknownNameError: the registry has no such release or id.
        AssetError: it could not be fetched.
    """
    release, _, sae_id = spec.removeprefix(PREFIX).partition("/")
    if not release or not sae_id:
        raise UnknownNameError(
            f"{spec!r} is not saelens:RELEASE/ID, such as saelens:gpt2-small-res-jb/blocks.8.hook_resid_pre"
        )
    try:
        from sae_lens import SAE  # imports for seconds, and is optional
    except ImportError as exc:
        raise MissingExtraError.for_extra("saelens", f"{spec!r}") from exc
    try:
        sae = SAE.from_pretrained(release, sae_id, device="cpu")
    except ValueError as exc:
        raise UnknownNameError(f"the registry of sae-lens has no {spec!r}: {exc}") from exc
    except OSError as exc:
        raise AssetError(f"{spec!r} could not be fetched: {exc}") from exc
    try:
        config = SaeLensConfig.model_validate(sae.cfg.to_dict())
    except ValidationError as exc:
        raise CorruptFileError(f"the configuration of {spec!r} is not one of sae-lens 6: {exc}") from exc
    return stored_coder(config, dict(sae.state_dict()), Path(spec))
