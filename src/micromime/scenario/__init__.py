"""What can be drawn: distributions, partial models, scenario, instance, sample, streams."""
