"""What goes to PostgreSQL: frames of all agents, joined into one COPY per table."""
