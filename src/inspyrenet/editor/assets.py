"""Files of the page that people draw on. It has two homes: /editor/ of the server, and the folder of inspyrenet.web_page."""

from collections.abc import Mapping

from ..utils.system.page_files import read_text

PAGE = "page.html"
SHARED = ("page.css", "page.js", "editor.js", "input.js", "drawing.js", "line.js", "view.js", "asking.js", "gray.js")
SERVED = {  # what the page says where the server computes
    "head": "",
    "title": "Cut out an image, and mend what is wrong",
    "open": "Open",
    "drop": "Drop an image here, paste it",
    "choose": "Choose an image",
    "promise": "",
}


def read(name: str, words: Mapping[str, str], package: str = __package__) -> str:
    """The text of a file of a package; `words` stand in place of the marks in double braces."""
    text = read_text(package, name)
    for mark, value in words.items():
        text = text.replace("{{" + mark + "}}", value)
    return text
