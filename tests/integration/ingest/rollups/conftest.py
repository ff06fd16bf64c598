"""Rollups are made by the same fixture as sealed hours."""

from tests.integration.ingest.sealing.conftest import sealing

__all__ = ["sealing"]
