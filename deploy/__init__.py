"""How FLick is run: on one machine (`local`), in containers and under systemd."""
