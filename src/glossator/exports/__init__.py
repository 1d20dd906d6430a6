"""Cards written in the formats of others and as plain tables: Neuronpedia, Delphi, JSON lines, CSV."""
