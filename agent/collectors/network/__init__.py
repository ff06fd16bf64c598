"""Interfaces, and the protocols above them."""
