"""TimescaleDB and Redis that FLick carries itself: fetched, unpacked, prepared."""
