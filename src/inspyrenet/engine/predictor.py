"""A trained network behind one call, as Test, Inference, the page, the server and the validation of a run use it."""

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..lib.inference.pyramid_blending import predict
from ..lib.inference.sliding_window import predict_patches
from ..lib.inference.tta import flip_average, predict_averaged
from ..lib.models.pspnet import ScenePSPNet
from ..lib.modules.conv import resize
from ..lib.types import SaliencyPyramid
from ..utils.system.precision import DTYPES, choose_precision


class Predictor:
    """Network, sizes and precision of one configuration.

    threshold: sides above it are blended; None: one pass. precision: float32, bfloat16, float16 or auto. merging: large images
    patch by patch, which needs threshold's base-size copy. jit: compile the network on the first call. flip: the mean with what
    the mirrored image gives, in whatever way; scales: the mean of scaled copies, each in one pass.
    Raises PrecisionError and CompilerMissing for what cannot be had here, ValueError for a network that parses scenes.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        threshold: int | None = None,
        alignment: str = "as_trained",
        precision: str = "float32",
        merging: bool = False,
        jit: bool = False,
        scales: Sequence[float] = (1.0,),
        flip: bool = False,
    ):
        if isinstance(model, ScenePSPNet):
            raise ValueError("this network parses scenes: run/Test.py and run/Eval.py take it; all else needs saliency")
        self.scales, self.flip = tuple(scales), flip
        self.model, self.device = model, device
        self.threshold, self.alignment, self.merging = threshold, alignment, merging
        self.precision = choose_precision(precision, device)
        if jit:
            from .jit import compiled

            self.model = compiled(model)

    @property
    def is_one_pass(self) -> bool:
        """Whether the map comes from one pass on the whole image, and on its base-size copy where that is blended in."""
        return self.scales == (1.0,) and not self.flip and not self.merging

    @contextlib.contextmanager
    def inference(self) -> Iterator[None]:
        """Without gradients, in this precision."""
        enabled = self.precision != "float32"
        with torch.inference_mode(), torch.autocast(self.device.type, dtype=DTYPES[self.precision], enabled=enabled):
            yield

    def __call__(self, image: Tensor, resized: Tensor | None = None, levels: bool = False) -> SaliencyPyramid:
        """(B, 3, H, W) and its base-size copy → pyramid of logits on the device.

        levels: patch merging, too, keeps all levels of the pyramid and not the finest map alone.
        """
        image = image.to(self.device, non_blocking=True)
        resized = resized if resized is None else resized.to(self.device, non_blocking=True)
        with self.inference():
            if self.scales != (1.0,):
                return SaliencyPyramid((predict_averaged(self.model, image, self.scales, self.flip).logit(eps=1e-6),))
            out = self._once(image, resized, levels)
            if not self.flip:
                return out
            mirrored = None if resized is None else resized.flip(-1)
            return flip_average(out, self._once(image.flip(-1), mirrored, levels))

    def _once(self, image: Tensor, resized: Tensor | None, levels: bool) -> SaliencyPyramid:
        if self.merging:
            return self._merged(image, resized, levels)
        out = predict(self.model, image, resized, self.threshold, self.alignment)
        # Blending wants all stages, and gives a small image the map of its base-size copy.
        return out if self.threshold is not None else at_full_size(out, image.shape[-2:])

    def _merged(self, image: Tensor, resized: Tensor | None, levels: bool) -> SaliencyPyramid:
        """Each image of a batch by itself; levels joined again."""
        copies = [None] * len(image) if resized is None else resized.split(1)
        outs = [
            predict_patches(self.model, one, copy, alignment=self.alignment, levels=levels)
            for one, copy in zip(image.split(1), copies, strict=True)
        ]
        if len(outs) == 1:  # joining would copy the map
            return outs[0]
        joined = [tuple(torch.cat(level) for level in zip(*(out[k] for out in outs), strict=True)) for k in (0, 1)]
        return SaliencyPyramid(*joined)


def at_full_size(out: SaliencyPyramid, size: Sequence[int]) -> SaliencyPyramid:
    """The pyramid with its finest map at the image's size, which a coarse stage's (Model.arguments.finest_stage) is not.

    Its cells stay where they are: enlarged with aligned corners, as whole maps are to a photograph's size, they would move.
    """
    if out.logits.shape[-2:] == tuple(size):
        return out
    return SaliencyPyramid((*out.saliency[:-1], resize(out.logits, tuple(size))), out.laplacian)
