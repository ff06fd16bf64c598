"""Where samples stay until ingest has acked them."""
