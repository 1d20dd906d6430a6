"""What features cause: effects on the next token, explanations of them, and the role of a feature."""
