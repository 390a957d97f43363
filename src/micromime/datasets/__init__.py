"""Data sets: kept in shards when synthetic, brought in and checked when real."""
