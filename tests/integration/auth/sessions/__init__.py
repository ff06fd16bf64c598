"""Signing in, staying signed in, and being known."""
