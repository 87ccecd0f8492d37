"""The HTTP API: `inspyrenet s` serves the Remover behind POST /api/remove (extra serve)."""

from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Serve until a signal says stop; the exit code: 0, 1 where it could not start, 2 for a wrong command line."""
    from .settings import build_parser, read_limits

    parser = build_parser()
    options = parser.parse_args(words)
    limits = read_limits(parser, options)
    from ..commands.errors import reported

    with reported() as outcome:
        from .server import serve

        outcome.code = serve(options, limits)
    return outcome.code
