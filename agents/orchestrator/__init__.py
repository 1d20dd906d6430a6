"""Requests and chat: plans, picks tools, delegates to investigators, answers with evidence."""
