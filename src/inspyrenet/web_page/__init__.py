"""The page that cuts out in the browser, without a server, and what writes it into a folder."""
