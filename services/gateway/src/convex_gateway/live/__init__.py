"""The live feed's last hop: from PostgreSQL and Redis to open sockets, every offset once and in order."""
