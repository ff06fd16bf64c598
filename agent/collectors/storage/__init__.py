"""File systems and the block devices under them."""
