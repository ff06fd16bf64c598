"""Who may call what: rules from the contract, grants from auth, enforced by one aspect in every service."""
