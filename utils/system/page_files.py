"""HTML, CSS and JavaScript that lie in a package, beside the code that serves them."""

from importlib import resources


def read_text(package: str, name: str) -> str:
    """The text of one file of a package, such as page.css of inspyrenet.demo."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def read_page(package: str, name: str) -> str:
    """NAME.html of a package, with NAME.css for its `{{style}}` and NAME.js for its `{{script}}`: one file for a browser."""
    page = read_text(package, f"{name}.html")
    return page.replace("{{style}}", read_text(package, f"{name}.css")).replace(
        "{{script}}", read_text(package, f"{name}.js")
    )
