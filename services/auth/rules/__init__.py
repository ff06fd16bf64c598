"""What auth decides without asking anybody: pure, no input or output."""
