"""What is said to models: one Markdown file per prompt."""
