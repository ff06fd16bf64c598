"""Reaching FLick over the network, and saying what is wrong when it can't be reached."""
