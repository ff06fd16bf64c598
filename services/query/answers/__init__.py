"""How query finds its answers: history, newest samples."""
