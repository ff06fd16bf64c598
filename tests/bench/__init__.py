"""Absolute figures against goals: `make bench`. Tests hold ratios only; what a machine can do is reported here."""
