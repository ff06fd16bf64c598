"""The agent: measures one server and streams what it measured to ingest."""
