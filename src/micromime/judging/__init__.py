"""Right or wrong: metrics, grains, grain size, topology, statistics, verdict, baselines."""
