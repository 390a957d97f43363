"""Why networks fail: which parameters scores go with."""
