"""The page about metrics is what the catalogue gives."""

import subprocess
import sys
from pathlib import Path

from services.query.rules.catalog import Catalog

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "metrics.md"


def test_the_page_is_what_the_catalogue_gives() -> None:
    script = "import sys; sys.path.insert(0, 'proto'); import metrics; "
    script += "sys.stdout.write(metrics.page(metrics.Catalog.from_contract()))"
    made = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60, capture_output=True)

    assert PAGE.read_text() == made.stdout.decode(), "run `make proto`"


def test_every_metric_stands_on_the_page_with_its_description() -> None:
    lines = PAGE.read_text().splitlines()

    for row in Catalog.from_contract().rows:
        assert any(line.startswith(f"| `{row.name}` |") and line.endswith(f" | {row.description} |") for line in lines)
