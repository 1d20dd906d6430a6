"""`glossator chat`: requests one after another, with every tool call visible.

Ctrl-C stops the request that is running, not the chat; `/stop` ends it after its present step, with what
was found so far.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from glossator.commands.ask import ContinueFlag, PlannerFlag
from glossator.commands.labelling_flags import BudgetFlag
from glossator.commands.result_output import note, print_rich
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    import asyncio

    from glossator.agents.orchestrator.conversation import ChatSession
    from glossator.request_run import RequestDesk
    from glossator.settings import EffectiveSettings
else:
    ChatSession = EffectiveSettings = RequestDesk = Any

_HELP = """Ask about features in words. Besides:
  /cost            what LLM calls cost so far
  /evidence [ID]   what the answers cite; with an id, what was measured
  /stop            end the running request after its present step (Ctrl-C: at once)
  /help            this
  /quit            leave"""


@with_settings
def chat_command(
    *,
    effective: EffectiveSettings,
    continues: ContinueFlag = None,
    planner: PlannerFlag = "auto",
    budget: BudgetFlag = None,
) -> None:
    """Ask one request after another; tool calls and costs are shown as they happen."""
    import asyncio

    from glossator.agent_calls import agent_models
    from glossator.agents.orchestrator.conversation import ChatSession as Chat
    from glossator.report.progress import TaskProgress
    from glossator.report.terminal_trace import TraceLines
    from glossator.request_run import RequestDesk as Desk
    from glossator.session import Session

    with TaskProgress() as progress, Session(effective.settings, progress) as session:
        models = agent_models(session, budget, without=planner == "rules")
        session.index()
        desk = Desk(session, models, planner=planner, listeners=[TraceLines()])
        with asyncio.Runner() as runner:
            console = ChatConsole(Chat(desk.answer, continues or ""), desk, runner)
            try:
                console.run()
            finally:
                runner.run(desk.close())


class ChatConsole:
    """Reads lines from stdin and shows what comes of them."""

    def __init__(self, chat: ChatSession, desk: RequestDesk, runner: asyncio.Runner) -> None:
        self._chat, self._desk, self._runner = chat, desk, runner
        self._typed: deque[str] = deque()
        """Lines that were typed while a request was running."""

    def run(self) -> None:
        """Until `/quit` or the end of the input."""
        note("/help says what there is besides questions")
        while True:
            try:
                line = self._typed.popleft() if self._typed else input("> " if sys.stdin.isatty() else "")
            except EOFError:
                return
            except KeyboardInterrupt:
                note("\n/quit leaves")
                continue
            if line.strip() in ("/quit", "/exit"):
                return
            if line.strip():
                self._handle(line.strip())

    def _handle(self, line: str) -> None:
        from glossator.errors import GlossatorError

        try:
            if line.startswith("/"):
                self._command(line)
            else:
                self._ask(line)
        except KeyboardInterrupt:
            note("stopped; what was found is stored")
        except GlossatorError as error:  # the chat goes on
            note(f"glossator: {error}")

    def _ask(self, request: str) -> None:
        from glossator.report.terminal_answer import render_answer

        print_rich(render_answer(self._runner.run(self._watched(request))))

    async def _watched(self, request: str) -> Any:
        """The answer; what is typed meanwhile is read, where the terminal allows it."""
        from asyncio import get_running_loop

        loop, watching = get_running_loop(), False
        if sys.stdin.isatty():
            try:
                loop.add_reader(sys.stdin.fileno(), self._read_meanwhile)
                watching = True
            except (NotImplementedError, OSError):  # Windows, or an input that cannot be waited for
                note("Ctrl-C stops it")
        try:
            return await self._chat.ask(request)
        finally:
            if watching:
                loop.remove_reader(sys.stdin.fileno())

    def _read_meanwhile(self) -> None:
        line = sys.stdin.readline().strip()
        if line == "/stop":
            self._chat.stop()
            note("stopping after this step")
        elif line.startswith(("/cost", "/evidence", "/help")):
            self._command(line)
        elif line:
            self._typed.append(line)

    def _command(self, line: str) -> None:
        name, _, given = line.partition(" ")
        if name == "/cost":
            from glossator.report.terminal_answer import spending_words

            note(spending_words(self._chat.spending))
        elif name == "/evidence":
            self._evidence(given.strip())
        elif name == "/stop":
            note("nothing is running")
        else:
            note(_HELP if name == "/help" else f"there is no {name}\n{_HELP}")

    def _evidence(self, identity: str) -> None:
        if not identity:
            cited = self._chat.evidence()
            note("\n".join(f"{c.evidence}  {c.claim}" for c in cited) or "no answer cites evidence yet")
            return
        from glossator.agents.tools.evidence_summary import about, summary_lines

        found = self._desk.store.evidence(identity)
        if found is None:
            note(f"there is no evidence {identity!r}: /evidence lists what was cited")
        else:
            note("\n".join([about(found), *summary_lines(found)]))
