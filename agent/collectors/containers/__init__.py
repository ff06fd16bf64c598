"""Containers: found by their control groups, whatever runtime started them."""
