"""Experiments: not part of the product."""
