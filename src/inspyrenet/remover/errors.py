"""What is said where a result cannot be made as it was asked for."""


class CutoutError(ValueError):
    """An output type, color, threshold, format or way of mending that there is not; the message lists what there is."""


class NothingFound(CutoutError):
    """An image in which nothing is object, where the result is to be cut to the object."""

    def __init__(self) -> None:
        super().__init__("nothing was found in this image, so there is nothing to crop to: leave crop and size out")
