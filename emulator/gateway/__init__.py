"""The sockets: listeners, connections, and the hub that carries the channels' frames to them."""
