"""Versions of what decides results: an integer each, raised by hand when the same inputs come to give other numbers.

A record of a finished run is found by these, by its settings and by the identity of its data, never by the text of the
code: a comment, a move or a faster way to the same numbers voids nothing. `tests/results/` holds numbers of each kind
that change when the version should have been raised, so that it cannot be forgotten.
"""

RENDERER = 2
"""What an instance looks like: partial models, use cases, streams, distributions."""

FITTING = 1
"""What is measured on real pictures: laws of cracks, dictionaries of surfaces."""

LEARNER = 2
"""What a network becomes: architectures, ImageNet weights, loaders, augmentation, losses, schedule, splits."""

ASKING = 1
"""What a network answers: sizes, padding, views."""

MEASURING = 1
"""What an answer is worth: thresholds, metrics, grains."""

PROPOSING = 1
"""What a sampler asks for, given the same scores."""
