"""What concerns the system as a whole."""
