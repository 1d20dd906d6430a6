"""The closed language as a whole: what a function does, as data that code executes.

A form comes from a generator or is read from JSON; nothing of it is ever evaluated as code.
"""

from __future__ import annotations

from typing import Annotated

import pydantic
from pydantic import Field, TypeAdapter

from glossator.errors import UserError
from glossator.probes.black_boxes.numeric_form import NumericForm
from glossator.probes.black_boxes.string_form import StringForm
from glossator.probes.black_boxes.text_form import RelationForm, TextForm

Form = Annotated[NumericForm | StringForm | TextForm | RelationForm, Field(discriminator="kind")]
"""Every form has `answer(input)` and `describe()`."""

_ADAPTER: TypeAdapter[Form] = TypeAdapter(Form)


def parse_form(text: str | bytes) -> Form:
    """Read a form from JSON; raises `UserError` with pydantic's account of what is wrong."""
    try:
        return _ADAPTER.validate_json(text)
    except (pydantic.ValidationError, RecursionError) as exc:
        raise UserError(f"not a form of the language: {exc}") from exc


def form_json(form: Form) -> str:
    """The form as compact JSON that `parse_form` reads back."""
    return _ADAPTER.dump_json(form).decode()
