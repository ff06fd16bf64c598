"""When samples are taken, and what becomes of them."""
