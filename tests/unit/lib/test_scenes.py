"""Scene parsing: the loss ignores what it should, windows cover a picture, and published weights fit as they are."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from inspyrenet.lib.build import build_model
from inspyrenet.lib.checkpoints.pspnet import to_published
from inspyrenet.lib.checkpoints.state_dict import load_state
from inspyrenet.lib.inference.scenes import scene_probabilities, windows
from inspyrenet.lib.losses.build import SCENES, build_criterion
from inspyrenet.lib.models.pspnet import SceneOutput


def scores(seed: int, requires_grad: bool = False) -> torch.Tensor:
    return torch.randn(2, 4, 5, 6, generator=torch.Generator().manual_seed(seed)).requires_grad_(requires_grad)


def labels() -> torch.Tensor:
    drawn = torch.randint(0, 4, (2, 1, 5, 6), generator=torch.Generator().manual_seed(9), dtype=torch.uint8)
    drawn[0, 0, :2] = 255
    return drawn


def test_the_loss_is_the_mean_cross_entropy_of_the_pixels_that_count():
    out, mask = SceneOutput((scores(0), scores(1))), labels()
    parts = build_criterion(SCENES, "cross_entropy")(out, mask)
    counted = mask[:, 0] != 255
    aux, main = (
        -s.log_softmax(1).gather(1, mask.long().clamp(max=3))[:, 0][counted].mean() for s in (scores(0), scores(1))
    )
    assert parts["main"] == pytest.approx(main.item(), rel=1e-6)
    assert parts["aux"] == pytest.approx(0.4 * aux.item(), rel=1e-6)
    assert parts["total"] == pytest.approx(main.item() + 0.4 * aux.item(), rel=1e-6)


def test_ignored_pixels_have_no_gradient_and_no_influence():
    given, mask = scores(0, requires_grad=True), labels()
    loss = build_criterion(SCENES)(SceneOutput((given,)), mask)["total"]
    loss.backward()
    assert not given.grad[0, :, :2].any() and given.grad[0, :, 2:].abs().min() > 0
    changed = given.detach().clone()
    changed[0, :, :2] += 100
    assert build_criterion(SCENES)(SceneOutput((changed,)), mask)["total"] == loss


def test_a_batch_without_a_label_has_the_loss_zero_and_another_label_may_be_ignored():
    given = scores(0, requires_grad=True)
    loss = build_criterion(SCENES)(SceneOutput((given,)), torch.full((2, 1, 5, 6), 255, dtype=torch.uint8))["total"]
    loss.backward()
    assert loss == 0 and not given.grad.any()
    mask = torch.where(labels() == 255, 7, labels())
    other = build_criterion(SCENES, ignore_label=7)(SceneOutput((given,)), mask)["total"]
    assert other == build_criterion(SCENES)(SceneOutput((given,)), labels())["total"]
    with pytest.raises(ValueError, match="scene parsing is released, cross_entropy"):
        build_criterion(SCENES, "bce")


def test_the_network_gives_scores_of_every_class_and_published_weights_fit_as_they_are():
    model = build_model("PSPNet_ResNet50", width=1 / 16, scene_classes=7, base_size=(33, 33))
    out = model(torch.zeros(2, 3, 33, 41))
    assert [tuple(s.shape) for s in out.scores] == [(2, 7, 33, 41)] * 2 and out.logits is out.scores[-1]
    other = build_model("PSPNet_ResNet50", width=1 / 16, scene_classes=7, base_size=(33, 33))
    load_state(other, to_published(model), "published")
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))
    with pytest.raises(ValueError, match="scene parsing has 2 to 255 classes, not 1"):
        build_model("PSPNet_ResNet50", width=1 / 16, scene_classes=1)


@pytest.mark.parametrize(("size", "crop"), [((33, 33), (33, 33)), ((100, 34), (33, 33)), ((77, 130), (41, 33))])
def test_windows_cover_everything_and_overlap_by_a_third(size, crop):
    seen, tops = torch.zeros(size), []
    for rows, columns in windows(size, crop):
        assert (rows.stop - rows.start, columns.stop - columns.start) == crop
        seen[rows, columns] += 1
        tops.append(rows.start)
    assert seen.shape == size and seen.min() >= 1
    steps = [b - a for a, b in zip(sorted(set(tops)), sorted(set(tops))[1:], strict=False)]
    assert all(step <= -(-crop[0] * 2 // 3) for step in steps)


class Pointwise(nn.Module):
    """Scores that depend on a pixel's own color: windows and whole pictures must agree on them."""

    def forward(self, image: torch.Tensor) -> SceneOutput:
        return SceneOutput((torch.cat([image, image.sum(dim=1, keepdim=True)], dim=1),))


@pytest.mark.parametrize("crop", [(64, 64), (96, 160), (32, 32)])
def test_windows_and_mirror_images_do_not_change_what_a_pixel_says_of_itself(crop):
    image = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    whole = Pointwise()(image).logits.softmax(dim=1)
    assert torch.allclose(scene_probabilities(Pointwise(), image), whole, atol=1e-6)
    assert torch.allclose(scene_probabilities(Pointwise(), image, flip=True, crop=crop), whole, atol=1e-6)
    halves = scene_probabilities(Pointwise(), image, scales=(1, 0.5), crop=crop)
    assert halves.shape == whole.shape and torch.allclose(halves.sum(dim=1), torch.ones(2, 64, 96), atol=1e-5)
    with pytest.raises(ValueError, match="at least one scale"):
        scene_probabilities(Pointwise(), image, scales=())


def test_probabilities_are_averaged_and_not_scores():
    class RightSided(nn.Module):
        def forward(self, image: torch.Tensor) -> SceneOutput:
            first = torch.zeros_like(image[:, :1])
            first[..., 16:] = 6
            return SceneOutput((torch.cat([first, torch.zeros_like(first)], dim=1),))

    p = scene_probabilities(RightSided(), torch.zeros(1, 3, 32, 32), flip=True)
    sure = F.softmax(torch.tensor([6.0, 0.0]), dim=0)[0]
    assert torch.allclose(p[:, 0], (sure + 0.5) / 2)
