"""A worker process of a run that labels with a model, for tests that kill it.

Its model answers by a script, once a server in another process has billed the question; see
`benchmarks/chaos_endpoint.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from benchmarks.chaos_endpoint import billed_answer
from glossator.agents.llm_calls.chat import ChatEndpoint, ChatReply, ChatRequest, Role
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.agents.llm_calls.scripted_chat import ScriptedChat, by_form, verdicts
from glossator.agents.run_work.worker import WorkerTimes
from glossator.run_worker import work_on
from glossator.settings import Settings
from tests.agents.planted_index import LABEL_FORM

SCRIPT = by_form(
    verdicts(lambda claim, text: "law" in text or "court" in text),
    {LABEL_FORM: lambda asked: json.dumps({"label": "words about the law", "predicate": ""})},
)


class BilledChat(ScriptedChat):
    """Follows a script, and rubbish where the server says so."""

    def __init__(self, port: int) -> None:
        super().__init__(SCRIPT, keeps=False)
        self._port = port

    async def complete(self, request: ChatRequest) -> ChatReply:
        turns = [message.content for message in request.messages]
        said = await billed_answer(self._port, json.dumps([turns, request.sample, request.temperature]))
        return await super().complete(request) if said in ("0", "1") else ChatReply(said)


def label(run: str, settings: dict[str, object], port: int) -> None:
    """Work on `run` to its end, or one's own."""

    def opened(models: Mapping[Role, ModelSpec]) -> Mapping[Role, ChatEndpoint]:
        return dict.fromkeys(models, BilledChat(port))

    times = WorkerTimes(beat=0.5, look=0.2, tick=0.02)
    work_on(run, Settings.model_validate(settings), endpoints=opened, say=lambda words: None, times=times)
