"""What the camera adds."""
