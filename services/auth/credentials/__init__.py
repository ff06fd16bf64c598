"""What auth knows parties by: passwords, services' secrets, signing keys, the certificate authority."""
