"""JSON schemas for proposals: the names that exist, without those that experiments have refuted.

A small model repeats itself whatever it is told, so what was refuted is taken out of the names that its
answer may hold. One that cannot be held to a schema is only told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from glossator.agents.black_box.shown import answered
from glossator.agents.llm_calls.answer_parsing import schema_of
from glossator.agents.llm_calls.chat import AnswerSchema
from glossator.probes.black_boxes.box import Pair
from glossator.probes.black_boxes.concepts import part_words, parts_of_concepts, parts_of_relations
from glossator.probes.black_boxes.numeric_form import NumericForm
from glossator.probes.black_boxes.solver import Fit
from glossator.probes.black_boxes.string_form import StringForm
from glossator.probes.black_boxes.text_form import NamedConcept, RelationForm, TextForm

IDEAS = 2
"""Hypotheses in one answer."""
_POOR = 0.3
"""R² below which a family alone is refuted."""
_OFTEN = 2
"""Hypotheses without any right output after which an operation is refuted."""
_FEW = 0.2
"""Share of a topic's words that are answered, below which it is refuted."""
_LEAST_LEFT = 2


def limited(model: type[BaseModel], idea: str, names: Mapping[str, Sequence[str]]) -> AnswerSchema:
    """The schema of `model` with exactly `IDEAS` hypotheses, whose fields take only `names`."""
    plain = schema_of(model)
    schema: dict[str, Any] = {**plain.schema}
    told: dict[str, Any] = dict(schema["$defs"][idea])
    fields: dict[str, Any] = {**told["properties"]}
    for field, allowed in names.items():
        one = {"type": "string", "enum": list(allowed)}
        fields[field] = {**fields[field], "items": one} if fields[field].get("type") == "array" else one
    told["properties"] = fields
    ideas = {**schema["properties"]["hypotheses"], "minItems": IDEAS, "maxItems": IDEAS}
    properties: Any = {**schema["properties"], "hypotheses": ideas}
    schema |= {"$defs": {idea: told}, "properties": properties}
    return AnswerSchema(plain.name, schema)


def left(names: Sequence[str], refuted: set[str]) -> list[str]:
    """Names that are not refuted; all of them where too few would be left."""
    kept = [n for n in names if n not in refuted]
    return kept if len(kept) >= _LEAST_LEFT else list(names)


def refuted_families(tried: Sequence[Fit]) -> set[str]:
    """Families that, alone, hardly fit."""
    alone = [
        (f.form.first.family, f.quality)
        for f in tried
        if isinstance(f.form, NumericForm) and not f.form.second
    ]
    return {family for family, quality in alone if quality < _POOR}


def refuted_operations(tried: Sequence[Fit]) -> set[str]:
    """Operations of several hypotheses that gave no right output at all, and of none that gave one."""
    failed, useful = Counter[str](), set[str]()
    for fit in tried:
        if isinstance(fit.form, StringForm):
            (failed.update if fit.quality == 0 else useful.update)(set(fit.form.ops))
    return {op for op, n in failed.items() if n >= _OFTEN} - useful


def refuted_topics(tried: Sequence[Fit], pairs: Sequence[Pair]) -> set[str]:
    """Topics of tried forms whose words were hardly ever answered."""
    topics: set[str] = set()
    for fit in tried:
        if isinstance(fit.form, RelationForm):
            topics.add(fit.form.relation)
        elif isinstance(fit.form, TextForm):
            topics |= {c.name for c in fit.form.concepts if isinstance(c, NamedConcept)}
    got = {str(p.given): answered(p) for p in pairs}
    return {
        t
        for t in topics
        if (said := [got[w] for w in _words(t) if w in got]) and sum(said) < _FEW * len(said)
    }


def _words(topic: str) -> list[str]:
    parts = (*parts_of_concepts(), *parts_of_relations())
    return [w for part in parts if part.split("/")[0] == topic for w in part_words(part)]
