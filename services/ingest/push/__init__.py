"""Values that are pushed by what is no agent: read, stored as samples of a source of their own, answered."""
