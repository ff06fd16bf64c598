"""The gRPC services, one package each; none imports another."""
