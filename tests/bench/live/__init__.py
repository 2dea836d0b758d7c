"""The live feed's gateway beside peers: thousands of sockets, and a browser."""
