"""Scorers that intervene: does turning a feature up do what an explanation says, on sealed prompts?"""
