"""The way between two programs, which a test may spoil or cut."""
