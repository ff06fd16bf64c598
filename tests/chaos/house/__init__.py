"""What a scenario takes place in: servers and services that may be killed, agents, and who watches how they do."""
