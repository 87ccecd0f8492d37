"""What goes wrong while torch computes a network, in words that say what to do."""

import contextlib
from collections.abc import Iterator

from .network import NotEnoughMemory, RemoverError, lacks_memory


@contextlib.contextmanager
def explained(number: int, height: int, width: int, device: str) -> Iterator[None]:
    """A block that computes `number` images of height × width.

    Raises NotEnoughMemory where memory is short, RemoverError where compiling fails, and all else as it is.
    """
    try:
        yield
    except RuntimeError as error:
        if lacks_memory(error):
            raise NotEnoughMemory(
                f"not enough memory for {number} image{'s' * (number > 1)} of {height}×{width} on {device}: take "
                "resize static, a smaller batch, or, with an InSPyReNet, patch merging (--PM)"
            ) from error
        if type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise RemoverError(
                f"compiling the network failed ({reason[:200]}): leave jit out, or empty torch's compile cache"
            ) from error
        raise
