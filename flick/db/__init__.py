"""PostgreSQL as every service uses it: pool, named queries, migrations."""
