"""The lanes: what waits, what was handed out and what became of it, over any shelf that keeps rows."""
