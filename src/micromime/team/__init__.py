"""What a team shares: storage, lineage, tags."""
