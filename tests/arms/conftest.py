"""Trainings of this room are of one convolution where the network is not the subject."""

from one_conv import one_conv  # noqa: F401 - a fixture
