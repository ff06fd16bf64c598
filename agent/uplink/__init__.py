"""The stream to ingest: how it is opened, kept, given up and opened again."""
