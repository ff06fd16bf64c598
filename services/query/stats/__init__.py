"""What FLick knows of itself: agents, database and how it grows, Redis, its own processes."""
