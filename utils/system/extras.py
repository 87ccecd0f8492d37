"""How packages that only some commands need are installed. Imports nothing."""


def how_to_install(extra: str) -> str:
    """The command that adds an extra of pyproject.toml. The program is on no package index, so pip alone cannot."""
    return f"./install.sh --extras {extra} in the clone"
