"""Boundaries between grains."""
