"""Requests in words: a planner chooses tools, code runs them, and every claim of the answer is checked."""
