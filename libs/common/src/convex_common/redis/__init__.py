"""Redis: the queues and the live feed. It is the speed, never the truth: what fails here loses nothing."""
