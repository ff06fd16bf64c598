"""The delivery ledger: what became of samples that were not simply stored, who holds each server's stream, and what
a person should know of it.
"""
