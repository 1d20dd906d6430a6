"""What happened in an investigation, written down as it happens."""
