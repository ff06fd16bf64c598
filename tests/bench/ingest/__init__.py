"""What ingest costs: processor time per committed sample with all that serves it, and memory per stream."""
