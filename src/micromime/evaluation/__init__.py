"""Scores, statistics, verdict and figures: from predicted arrays, never from networks."""
