"""What every record shares, and ids derived from content."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
<<<<<<< HEAD

if TYPE_CHECKING:
    from pydantic import JsonValue as Json
else:
    # Run-time checkers cannot resolve pydantic's recursive alias inside a wrapped function.
    Json = object
=======
>>>>>>> evidence


class Record(BaseModel):
    """A frozen pydantic model that refuses unknown fields; each field is documented beneath itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


<<<<<<< HEAD
def content_id(prefix: str, payload: Json, length: int = 12) -> str:
=======
def content_id(prefix: str, payload: object, length: int = 12) -> str:
>>>>>>> evidence
    """`prefix-` and the first `length` hex digits of the SHA-256 of `payload` as canonical JSON.

    The same content always has the same id, on any machine; 12 digits keep the chance of a clash
    below 1e-3 up to 700,000 records of one kind.
    """
    canonical = json.dumps(
        payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return f"{prefix}-{hashlib.sha256(canonical.encode()).hexdigest()[:length]}"
