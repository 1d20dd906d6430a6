"""The one room that makes LLM calls: roles, endpoints, budget, retries, answers kept in the ledger."""
