"""A year of servers, as the product stores it and as plain tables, and what questions about it cost."""
