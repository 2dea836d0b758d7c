"""Alembic migrations; the SQL of a revision lies under sql/<revision>/ in files by topic."""
