"""What a sample takes on disk: as it is stored, and in forms that were weighed."""
