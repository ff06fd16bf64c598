"""Sealing: past hours of a server become blocks of compressed columns, and their rows go."""
