"""The least that agents' streams can move between: what a move takes on this machine at this very moment."""
