"""From real pictures to a scenario: laws, exemplars, cracks."""
