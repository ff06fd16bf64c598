"""Many agents at once, as a program of its own, cheap enough to share two cores with what it loads."""
