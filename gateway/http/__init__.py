"""HTTP around the API: the server, what every answer carries, who may ask from which web page."""
