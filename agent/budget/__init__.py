"""What the agent may take of its host, and which collectors go without when it takes more."""
