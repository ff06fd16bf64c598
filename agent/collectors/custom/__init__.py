"""Metrics of people's own: executables and text files in a folder, in Prometheus's text format."""
