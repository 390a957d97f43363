"""What to render next: samplers, parameter space, scores."""
