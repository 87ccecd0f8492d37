"""What people are told of an estimated quality, wherever they see it."""

GOOD, DOUBTFUL = (
    0.88,
    0.7,
)  # from there on "likely good"; below there "likely wrong": docs/quality.md has what came of it


def verdict(quality: float) -> str:
    """The expected IoU, 0..1 → likely good, look at it, or likely wrong."""
    return "likely good" if quality >= GOOD else "look at it" if quality >= DOUBTFUL else "likely wrong"


def described(quality: float) -> str:
    """0.87, likely good"""
    return f"{quality:.2f}, {verdict(quality)}"
