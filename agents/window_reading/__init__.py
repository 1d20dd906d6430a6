"""An LLM as a reader: does this claim fit this window? Used on any split by whoever holds its view."""
