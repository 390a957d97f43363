"""Labelled synthetic micrographs from parametric models, and networks trained on them."""
