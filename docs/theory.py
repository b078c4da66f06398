"""Put the page of a finished study of a theorem, with its figures, into the docs.

python docs/theory.py RUN
"""

import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).parent


def adopt(run: Path) -> Path:
    """Copies report.md as docs/<study>.md, and its figures; returns the page."""
    text = (run / "report.md").read_text(encoding="utf-8")
    name = (run / "config.toml").read_text(encoding="utf-8").split('"')[1]
    for figure in sorted((run / "figures").glob("*.svg")):
        shutil.copy(figure, DOCS / "figures" / f"{name}-{figure.name}")
    page = DOCS / f"{name}.md"
    page.write_text(text.replace("](figures/", f"](figures/{name}-"), encoding="utf-8")
    return page


if __name__ == "__main__":
    sys.stdout.write(f"{adopt(Path(sys.argv[1]))}\n")
