"""OpenAPI 3.1 from the descriptors: what the routes accept and answer, in the contract's own words."""

from gateway.transcode.openapi.document import About, describe

__all__ = ["About", "describe"]
