"""What comes in: places in lanes, room in memory, and whether samples can be stored."""
