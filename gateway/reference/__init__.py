"""The API described: an OpenAPI document for programs, a page for people."""
