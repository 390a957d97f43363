"""What each part of a scenario is worth."""
