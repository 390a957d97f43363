"""Experiments: questions asked once, apart from the product; each folder has its code, settings and results."""
