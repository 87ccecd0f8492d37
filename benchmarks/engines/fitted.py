"""An InSPyReNet that was never trained, but whose maps are like those of one that was: objects with edges, and little detail."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspyrenet.data.datasets.pairs import Pair
from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.data.images.read import read_image
from inspyrenet.engine import build
from inspyrenet.lib.modules.sica import SICA
from inspyrenet.utils.config.schema import Config

CONTRAST = 4.0  # standard deviation of the first map's logits
DETAIL = 0.3  # of what each stage adds
RIDGE = 1e-3


@torch.no_grad()
def fitted(config: Config, pairs: Sequence[Pair], batch: int = 4) -> nn.Module:
    """Random weights and, from photographs with masks, the statistics of normalizations and the convolution that gives S3.

    That convolution is the linear regression of the masks on the features below it: the maps depend on the image, as those of a
    trained network do, and blending finds edges in some places and not everywhere.
    """
    torch.manual_seed(0)
    model = build.network(config, start=False)
    images, masks = _arrays(pairs, model.base_size)
    for part in model.modules():
        if isinstance(part, SICA):
            part.conv_key[-1].bn.weight.mul_(0.01)  # else rounding decides what it attends to
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # the mean of all batches
    nn.init.ones_(model.decoder.conv4.bn.bias)  # the regression's constant: conv5 has none
    model.train()
    for some in images[: 2 * batch].split(batch):
        model(some)
    model.eval()
    features = torch.cat([model.decode(some)[1] for some in images.split(batch)])
    _fit(model.decoder.conv5.conv, features, masks)
    for place, stage in enumerate((2, 1, 0)):
        shrink = DETAIL / model(images[:batch]).laplacian[place].std()
        normalization = model.get_submodule(f"attention{stage}").conv_out4.bn
        normalization.weight.mul_(shrink)
        normalization.bias.mul_(shrink)
    return model


def _fit(conv: nn.Conv2d, features: Tensor, masks: Tensor) -> None:
    """Ridge regression of masks (N, 1, H, W) on features (N, C, h, w), as weights of the convolution."""
    target = (2 * F.interpolate(masks, features.shape[2:], mode="area") - 1).flatten().double()
    columns = F.unfold(features, conv.kernel_size, padding=conv.padding).transpose(1, 2).flatten(0, 1).double()
    gram = columns.T @ columns / len(columns)
    weights = torch.linalg.solve(gram + RIDGE * gram.diag().mean() * torch.eye(len(gram)), columns.T @ target)
    weights *= CONTRAST / (columns @ weights).std()
    conv.weight.copy_(weights.reshape(conv.weight.shape))


def _arrays(pairs: Sequence[Pair], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Images (N, 3, *size), normalized, and masks (N, 1, *size) in 0..1."""
    prepare = Preprocess(size=size)
    images = np.stack([prepare(read_image(pair.image))[0] for pair in pairs])
    masks = [torch.from_numpy(pair.read_mask()).float()[None, None] / 255 for pair in pairs]
    return torch.from_numpy(images), torch.cat([F.interpolate(mask, size, mode="area") for mask in masks])
