"""What is said to models: one Markdown file per prompt. Empty until an LLM is asked anything."""
