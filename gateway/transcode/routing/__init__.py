"""From google.api.http rules to a matcher: templates, routes, and what is wrong with them. Needs no network."""
