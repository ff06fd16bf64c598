"""What query decides without reading anything: the catalogue, plans, states, and how values are put together. Pure."""
