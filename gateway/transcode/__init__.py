"""A grpc-gateway-compatible transcoder: from a FileDescriptorSet and channels to an ASGI application. Knows nothing of FLick."""
