"""The cache: what was computed from PostgreSQL, kept in Redis, and never served once it is out of date."""
