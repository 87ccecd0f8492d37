"""The page at /docs: what the API takes, drawn from /openapi.json, and a form to try it. Loads nothing from elsewhere."""

from ..utils.system.page_files import read_page

PAGE = read_page(__package__, "page")
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
