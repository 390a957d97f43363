"""Cracks as they are measured on real pictures, and the laws that are fitted to them."""
