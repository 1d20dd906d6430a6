"""What can be measured. Probes never call an LLM, and import neither memory nor prompts."""
