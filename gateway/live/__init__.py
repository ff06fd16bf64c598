"""The WebSocket at /api/v1/ws: live values for viewers, each by a WatchMetrics call with the viewer's own token."""
