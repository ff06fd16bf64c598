"""Control groups, by which the kernel accounts for services and containers."""
