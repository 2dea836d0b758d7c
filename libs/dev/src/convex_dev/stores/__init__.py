"""PostgreSQL and Valkey from their Python wheels, as the supervisor runs them."""
