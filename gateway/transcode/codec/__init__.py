"""The protobuf JSON mapping, compiled per descriptor, in both directions."""
