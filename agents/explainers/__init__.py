"""Explainers: what a model writes about a feature from `explore`, chosen among on `validate`."""
