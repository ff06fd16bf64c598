"""Services that systemd keeps."""
