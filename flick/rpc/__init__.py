"""gRPC as every part of FLick speaks it: server, client, errors, access."""
