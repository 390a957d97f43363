"""Real pictures: micrographs, tiles, test sets, and surrogates where there are none."""
