"""What every record shares, and ids derived from content."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen pydantic model that refuses unknown fields; each field is documented beneath itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def content_id(prefix: str, payload: object, length: int = 12) -> str:
    """`prefix-` and the first `length` hex digits of the SHA-256 of `payload` as canonical JSON.

    The same content always has the same id, on any machine; 12 digits keep the chance of a clash
    below 1e-3 up to 700,000 records of one kind.
    """
    canonical = json.dumps(
        payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return f"{prefix}-{hashlib.sha256(canonical.encode()).hexdigest()[:length]}"
