"""Query: answers from what ingest stored, and lets viewers watch live."""
