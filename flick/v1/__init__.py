"""Generated from proto/flick/v1 by `make proto`; never edited."""
