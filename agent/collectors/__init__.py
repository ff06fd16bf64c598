"""One file per measured thing; each turns readings of the system into values of the metric catalogue."""
