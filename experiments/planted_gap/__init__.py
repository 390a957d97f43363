"""Which samplers find a gap that was planted."""
