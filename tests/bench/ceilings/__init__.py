"""What the figures are held against: the least that could do the same work, run beside it on the same machine."""
