"""A model in memory and on disk."""
