"""From the parts of an HTTP request to the request message: body, path variables, query."""
