"""Bootstrap, audit, keys, back-up: what an installation needs from outside its API."""
