"""What no agent of ours would ever send: ingest answers it, and neither ends nor lets other streams suffer."""
