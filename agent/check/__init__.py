"""`flick-agent check`: what this agent measures here, and whether it could stream it."""
