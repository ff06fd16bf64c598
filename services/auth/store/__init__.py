"""What auth keeps in PostgreSQL: one store per subject, its statements in `queries`. Rows come out as messages."""

from pathlib import Path

QUERIES = Path(__file__).parent / "queries"
