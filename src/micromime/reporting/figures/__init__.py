"""Figures of pictures."""
