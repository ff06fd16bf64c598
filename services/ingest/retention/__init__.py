"""Retention: what is older than it is to be kept goes."""
