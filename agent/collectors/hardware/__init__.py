"""What the machine's own sensors tell: temperatures, fans, batteries."""
