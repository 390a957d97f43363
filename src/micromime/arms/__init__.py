"""Many runs: what decides a network, rounds, comparisons, the queue, records."""
