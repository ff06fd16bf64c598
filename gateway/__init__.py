"""The gateway: REST, WebSocket and OpenAPI from the protobuf contract."""
