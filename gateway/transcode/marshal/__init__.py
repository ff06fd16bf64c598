"""How messages become bytes and back, by media type."""
