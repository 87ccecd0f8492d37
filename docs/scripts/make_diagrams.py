"""Draws the diagrams of the networks in docs/models.md out of docs/diagrams with mermaid and Chromium, headless.

npm install mermaid
python docs/scripts/make_diagrams.py node_modules/mermaid/dist/mermaid.min.js
"""

import html
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from inspyrenet.commands.parser import Parser

DOCS = Path(__file__).resolve().parents[1]
PAGE = """<!DOCTYPE html><meta charset="utf-8"><pre class="mermaid">{text}</pre><script src="{script}"></script>
<script>mermaid.initialize({{
  startOnLoad: true, theme: "neutral", htmlLabels: false, flowchart: {{htmlLabels: false}}, deterministicIds: true
}})</script>
"""


def drawn(text: str, script: Path) -> str:
    """The diagram as SVG with a white ground. Raises SystemExit where there is no Chromium, or no picture comes of the text."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("error: install Chromium first")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(PAGE.format(text=html.escape(text), script=script.resolve().as_uri()), encoding="utf-8")
        words = [browser, "--headless=new", "--no-sandbox", "--virtual-time-budget=20000", "--dump-dom", page.as_uri()]
        shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = re.search(r"<svg.*</svg>", shown, re.DOTALL)
    if found is None or "Syntax error" in found[0]:
        raise SystemExit(f"error: mermaid drew nothing of:\n{text}")
    return found[0].replace('style="', 'style="background: white; ', 1)  # else invisible on a dark page


def main(argv: list[str] | None = None) -> int:
    """One picture for each text; 0 when done."""
    parser = Parser(description=__doc__)
    parser.add_argument("script", type=Path, help="mermaid.min.js")
    options = parser.parse_args(argv)
    for source in sorted((DOCS / "diagrams").glob("*.mmd")):
        target = DOCS / "images" / f"network_{source.stem}.svg"
        target.write_text(drawn(source.read_text(encoding="utf-8"), options.script) + "\n", encoding="utf-8")
        print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
