"""PostgreSQL: the truth. Pools, tables, one repository file per aggregate, migrations."""
