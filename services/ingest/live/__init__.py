"""What goes to Redis for viewers, and what comes from there: who is watched."""
