"""Runs a manifest at once, by one call."""
