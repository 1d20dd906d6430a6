"""What stress tests and intervention scores need of the sealed split."""
