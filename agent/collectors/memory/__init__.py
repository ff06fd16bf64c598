"""Memory and swap, and what passes between them."""
