"""All tools over one bench, by name."""

from __future__ import annotations

from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.tools.causal_tools import causal_tools
from glossator.agents.tools.comparison_tools import comparison_tools
from glossator.agents.tools.concept_tools import concept_tools
from glossator.agents.tools.experiment_tools import experiment_tools
from glossator.agents.tools.feature_tools import feature_tools
from glossator.agents.tools.labelling_tools import labelling_tools
from glossator.agents.tools.memory_tools import memory_tools
from glossator.agents.tools.relation_tools import relation_tools
from glossator.agents.tools.search_tools import search_tools
from glossator.agents.tools.token_search import token_search_tools
from glossator.agents.tools.tool import Catalogue
from glossator.agents.tools.workbench import Workbench


def catalogue(bench: Workbench, calls: CallRoom | None = None) -> Catalogue:
    """Every tool, quick ones first. Nothing is loaded before a tool is called.

    Args:
        bench: what they measure with.
        calls: lets a model write texts of a concept where none are given; None takes them from the corpus.
    """
    tools = [
        *search_tools(bench),
        *token_search_tools(bench),
        *feature_tools(bench),
        *experiment_tools(bench),
        *relation_tools(bench),
        *comparison_tools(bench),
        *concept_tools(bench, calls),
        *memory_tools(bench),
        *causal_tools(bench),
        *labelling_tools(bench),
    ]
    return {tool.name: tool for tool in tools}
