"""What a model proposes about a function, for each kind of signature: a JSON schema, a prompt, ideas to fit.

Ideas name families, operations or topics. Numbers and fit are computed by the solver; a name that the
language lacks makes the answer malformed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal, NamedTuple, Protocol, get_args, runtime_checkable

from pydantic import BaseModel, BeforeValidator, Field

from glossator.agents.black_box.answer_schemas import (
    IDEAS,
    left,
    limited,
    refuted_families,
    refuted_operations,
    refuted_topics,
)
from glossator.agents.black_box.shown import (
    domain_line,
    fired_line,
    number_line,
    silent_line,
    text_lines,
    tried_lines,
)
from glossator.agents.llm_calls.answer_parsing import read_json
from glossator.agents.llm_calls.chat import AnswerSchema, ChatReply, Unscored
from glossator.probes.black_boxes.box import Pair, Signature, Takes, Value
from glossator.probes.black_boxes.concepts import (
    CONCEPTS,
    RELATIONS,
    parts_of_concepts,
    parts_of_relations,
)
from glossator.probes.black_boxes.draw_strings import SINGLES
from glossator.probes.black_boxes.families import FamilyName
from glossator.probes.black_boxes.numeric_fit import Skeleton
from glossator.probes.black_boxes.numeric_solver import NumericSolver
from glossator.probes.black_boxes.solver import Fit, Solver
from glossator.probes.black_boxes.string_form import OpName
from glossator.probes.black_boxes.string_solver import StringSolver
from glossator.probes.black_boxes.text_form import NamedConcept, RelationForm, TextForm
from glossator.probes.black_boxes.word_solvers import FeatureSolver, RelationSolver, WordForm
from glossator.prompts.fence import fenced
from glossator.prompts.prompt_file import load_prompt
from glossator.prompts.rendered_prompt import RenderedPrompt

_LONGEST_INPUT = 60
_NONE = "none"


def _at_most(n: int) -> Callable[[object], object]:
    """Cuts a list: a model that writes more has still answered."""
    return lambda given: given[:n] if isinstance(given, list) else given


class NumericIdea(BaseModel):
    """Families and how they are joined."""

    first: FamilyName
    join: Literal["none", "sum", "product"] = "none"
    second: FamilyName | Literal["none"] = "none"


class NumericAnswer(BaseModel):
    """What a model proposes about a function of numbers."""

    hypotheses: Annotated[
        list[NumericIdea], BeforeValidator(_at_most(IDEAS)), Field(min_length=1, max_length=IDEAS)
    ]
    inputs: Annotated[list[float], BeforeValidator(_at_most(1)), Field(max_length=1)] = []


class StringIdea(BaseModel):
    """Operations in order."""

    ops: Annotated[list[OpName], BeforeValidator(_at_most(2)), Field(min_length=1, max_length=2)]


class StringAnswer(BaseModel):
    """What a model proposes about a function of texts."""

    hypotheses: Annotated[
        list[StringIdea], BeforeValidator(_at_most(IDEAS)), Field(min_length=1, max_length=IDEAS)
    ]
    inputs: Annotated[list[str], BeforeValidator(_at_most(1)), Field(max_length=1)] = []


class WordIdea(BaseModel):
    """Topics and what is exempt."""

    topic: str
    second: str = _NONE
    exempt: str = _NONE


class WordAnswer(BaseModel):
    """What a model proposes about a function of words."""

    hypotheses: Annotated[
        list[WordIdea], BeforeValidator(_at_most(IDEAS)), Field(min_length=1, max_length=IDEAS)
    ]
    inputs: Annotated[list[str], BeforeValidator(_at_most(1)), Field(max_length=1)] = []


Attempt = Callable[[Sequence[Pair]], Fit]
"""An idea: fits itself to experiments."""


class Proposed(NamedTuple):
    """One answer, read."""

    attempts: tuple[Attempt, ...]
    inputs: tuple[Value, ...]


@runtime_checkable
class Asker(Protocol):
    """Everything that is particular to one kind of signature."""

    @property
    def solver(self) -> Solver: ...

    def schema(self, pairs: Sequence[Pair], tried: Sequence[Fit]) -> AnswerSchema:
        """Of the answer; names that experiments refuted are not among those it allows."""
        ...

    @property
    def likely(self) -> str:
        """An answer of the usual length."""
        ...

    def prompt(self, pairs: Sequence[Pair], tried: Sequence[Fit]) -> RenderedPrompt:
        """The question."""
        ...

    def read(self, reply: ChatReply) -> Proposed | Unscored:
        """The ideas in a reply."""
        ...


class NumericAsker:
    """About functions of numbers."""

    def __init__(self, signature: Signature) -> None:
        self.signature, self.solver = signature, NumericSolver(signature)
        idea = NumericIdea(first="linear", join="sum", second="step")
        self.likely = NumericAnswer(hypotheses=[idea] * IDEAS, inputs=[1.5, 20]).model_dump_json()

    def schema(self, pairs: Sequence[Pair], tried: Sequence[Fit]) -> AnswerSchema:
        """Families that are not refuted."""
        names = left(get_args(FamilyName), refuted_families(tried))
        return limited(NumericAnswer, "NumericIdea", {"first": names, "second": [_NONE, *names]})

    def prompt(self, pairs: Sequence[Pair], tried: Sequence[Fit]) -> RenderedPrompt:
        """The domain, pairs in order, what was tried."""
        return load_prompt("black_box_numeric").render(
            domain=domain_line(self.signature), pairs=number_line(pairs), tried=tried_lines(tried)
        )

    def read(self, reply: ChatReply) -> Proposed | Unscored:
        """Skeletons to fit; a join without a second part is none."""
        answer = read_json(reply, NumericAnswer)
        if isinstance(answer, Unscored):
            return answer
        skeletons = dict.fromkeys(map(_skeleton, answer.hypotheses))
        inside = (x for x in answer.inputs if self.signature.low <= x <= self.signature.high)
        return Proposed(tuple(self._attempt(s) for s in skeletons), tuple(round(float(x), 1) for x in inside))

    def _attempt(self, skeleton: Skeleton) -> Attempt:
        return lambda pairs: self.solver.fit(skeleton, pairs)


def _skeleton(idea: NumericIdea) -> Skeleton:
    if idea.join == "none" or idea.second == "none":
        return Skeleton(idea.first)
    return Skeleton(idea.first, idea.join, idea.second)


class StringAsker:
    """About functions of texts."""

    def __init__(self) -> None:
        self.solver = StringSolver()
        idea = StringIdea(ops=["remove_vowels", "upper"])
        self.likely = StringAnswer(hypotheses=[idea] * IDEAS, inputs=["Blue sky"]).model_dump_json()

    def schema(self, pairs: Sequence[Pair], tried: Sequence[Fit]) -> AnswerSchema:
        """Operations that are not refuted."""
        return limited(StringAnswer, "StringIdea", {"ops": left(SINGLES, refuted_operations(tried))})

    def prompt(self, pairs: Sequence[Pair], tried: Sequence[Fit]) -> RenderedPrompt:
        """The operations, one pair a line, what was tried."""
        return load_prompt("black_box_string").render(
            choices=fenced("O", ", ".join(SINGLES)), pairs=text_lines(pairs), tried=tried_lines(tried)
        )

    def read(self, reply: ChatReply) -> Proposed | Unscored:
        """Operations to try."""
        answer = read_json(reply, StringAnswer)
        if isinstance(answer, Unscored):
            return answer
        chains = dict.fromkeys(tuple(idea.ops) for idea in answer.hypotheses)
        return Proposed(
            tuple(map(self._attempt, chains)), tuple(t[:_LONGEST_INPUT] for t in answer.inputs if t)
        )

    def _attempt(self, ops: tuple[OpName, ...]) -> Attempt:
        return lambda pairs: self.solver.fit(ops, pairs)


class WordAsker:
    """About features and relations."""

    def __init__(self, takes: Takes) -> None:
        self._relation = takes is Takes.RELATION
        self.solver = RelationSolver() if self._relation else FeatureSolver()
        self._topics = list(RELATIONS if self._relation else CONCEPTS)
        self._parts = parts_of_relations() if self._relation else parts_of_concepts()
        idea = WordIdea(topic=self._topics[0], second=self._topics[1], exempt=self._parts[0])
        self.likely = WordAnswer(hypotheses=[idea] * IDEAS, inputs=["trout"]).model_dump_json()

    def schema(self, pairs: Sequence[Pair], tried: Sequence[Fit]) -> AnswerSchema:
        """Topics that are not refuted, and their parts."""
        names = left(self._topics, refuted_topics(tried, pairs))
        parts = [p for p in self._parts if p.split("/")[0] in names]
        second = [_NONE, *(() if self._relation else names)]
        return limited(WordAnswer, "WordIdea", {"topic": names, "second": second, "exempt": [_NONE, *parts]})

    def prompt(self, pairs: Sequence[Pair], tried: Sequence[Fit]) -> RenderedPrompt:
        """Topics with their parts, answered words, others, what was tried."""
        return load_prompt("black_box_words").render(
            choices=fenced("O", "; ".join(map(self._said, self._topics))),
            fired=fired_line(pairs),
            silent=silent_line(pairs),
            tried=tried_lines(tried),
        )

    def read(self, reply: ChatReply) -> Proposed | Unscored:
        """Forms to try; a topic or part that does not exist is left out."""
        answer = read_json(reply, WordAnswer)
        if isinstance(answer, Unscored):
            return answer
        forms = {form.model_dump_json(): form for idea in answer.hypotheses if (form := self._form(idea))}
        words = tuple(w.strip()[:_LONGEST_INPUT].casefold() for w in answer.inputs if w.strip())
        return Proposed(tuple(map(self._attempt, forms.values())), words)

    def _form(self, idea: WordIdea) -> WordForm | None:
        if idea.topic not in self._topics:
            return None
        topics = [idea.topic] + [idea.second] * (idea.second in self._topics and idea.second != idea.topic)
        own = idea.exempt in self._parts and idea.exempt.split("/")[0] in topics
        exempt = idea.exempt if own else None
        if self._relation:
            return RelationForm(
                relation=idea.topic, exempt=exempt if exempt and exempt.startswith(idea.topic) else None
            )
        return TextForm(concepts=tuple(NamedConcept(name=t) for t in topics), exempt=exempt)

    def _attempt(self, form: WordForm) -> Attempt:
        return lambda pairs: self.solver.fit(form, pairs)

    def _said(self, topic: str) -> str:
        parts = (RELATIONS if self._relation else CONCEPTS)[topic]
        return f"{topic} ({', '.join(parts)})"


def asker_of(signature: Signature) -> Asker:
    """The asker (and solver) for a signature."""
    if signature.takes is Takes.NUMBERS:
        return NumericAsker(signature)
    return StringAsker() if signature.takes is Takes.STRINGS else WordAsker(signature.takes)
