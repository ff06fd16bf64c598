"""Who may see what: told to the other services, and looked up by them."""
