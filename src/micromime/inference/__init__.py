"""Asking networks."""
