"""Auth: accounts, organizations, servers and agent keys, and who may see what."""
