"""Simulators of another kind that stand in for real pictures."""
