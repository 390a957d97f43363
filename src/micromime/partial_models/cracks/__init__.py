"""Cracks."""
