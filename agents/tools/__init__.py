"""What an agent may do: typed tools that measure. None reads files, runs code or reaches the network."""
