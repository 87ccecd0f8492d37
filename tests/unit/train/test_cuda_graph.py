"""A training step as a CUDA graph, against a stand-in that computes the step again where a GPU would replay it."""

import contextlib
import logging

import pytest
import torch
from torch import Tensor, nn

from inspyrenet.utils.system.precision import Precision
from inspyrenet.utils.train import cuda_graph
from inspyrenet.utils.train.cuda_graph import CapturedStep, CaptureError, GraphedSteps
from inspyrenet.utils.train.gradients import Gradients
from inspyrenet.utils.train.types import Batch
from tests.toy_training import make_trainer


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(3, 1, 3), nn.BatchNorm2d(1)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        loss = (self.norm(self.conv(batch["image"])).sigmoid() - batch["mask"]).square().mean()
        loss.backward()
        return {"total": loss.detach()}


def batch(seed: int, count: int = 2) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(count, 3, 8, 8, generator=generator)
    return {"image": image, "mask": (image[:, :1, 1:-1, 1:-1] > 0).float(), "name": ["a"] * count}


class Recorded:
    """In place of torch.cuda.CUDAGraph: a replay computes the step anew and writes into the tensors of the capture."""

    error = 0.0  # added to the losses of a replay

    def replay(self) -> None:
        captured, static = self.captured, self.captured.gradients
        for parameter, _ in static:
            parameter.grad = None
        losses = self.step(captured.batch)
        for name, value in losses.items():
            captured.losses[name].copy_(value + self.error)
        for parameter, gradient in static:
            gradient.copy_(parameter.grad)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[Recorded]:
    capture = CapturedStep._capture

    def remember(self: CapturedStep, step) -> None:
        self.graph.captured, self.graph.step = self, step
        capture(self, step)

    monkeypatch.setattr(CapturedStep, "_capture", remember)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recorded)
    monkeypatch.setattr(torch.cuda, "graph", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())

    class Stream:
        def wait_stream(self, other: object) -> None: ...

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    return Recorded


def test_a_captured_step_gives_losses_and_gradients_of_every_batch(stand_in: type[Recorded]) -> None:
    network, plain = Network(), Network()
    captured = CapturedStep(network.step, batch(0), network)
    for seed in (1, 2):
        expected = plain.step(batch(seed))
        assert torch.equal(captured(batch(seed))["total"], expected["total"])
        for mine, other in zip(network.parameters(), plain.parameters(), strict=True):
            assert torch.equal(mine.grad, other.grad)
            other.grad = None


def test_capturing_leaves_running_statistics_alone(stand_in: type[Recorded]) -> None:
    network = Network()
    before = {name: value.clone() for name, value in network.named_buffers()}
    CapturedStep(network.step, batch(0), network)
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())


def test_a_captured_step_with_other_losses_is_refused(stand_in, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorded, "error", 0.5)
    network = Network()
    with pytest.raises(CaptureError, match="has the loss"):
        CapturedStep(network.step, batch(0), network)


def test_batches_of_other_shapes_run_without_the_graph(stand_in: type[Recorded]) -> None:
    network = Network()
    steps = GraphedSteps(network.step, network, logging.getLogger("test"), after=1)
    assert steps.captured is None
    steps(batch(0))
    assert steps.captured is None
    steps(batch(1))
    assert steps.captured is not None
    assert steps.captured.fits(batch(2))
    assert not steps.captured.fits(batch(2, count=1))
    network.zero_grad()
    assert torch.isfinite(steps(batch(3, count=1))["total"])


def test_what_cannot_be_captured_is_said_once_and_runs_as_it_is(
    stand_in, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: CapturedStep, step) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(cuda_graph.CapturedStep, "_capture", refuse)
    network, plain = Network(), Network()
    steps = GraphedSteps(network.step, network, logging.getLogger("test"), after=0)
    for seed in (1, 2):
        expected = plain.step(batch(seed))["total"]
        assert torch.equal(steps(batch(seed))["total"], expected)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "cannot be captured (operation not permitted" in caplog.text


def test_what_the_criterion_changes_with_the_epochs_reaches_the_graph(stand_in, caplog) -> None:
    class Criterion:
        weight = 1.0

        def set_epoch(self, epoch: int, epochs: int) -> None:
            self.weight = 1.0 + epoch

        def __call__(self, output: Tensor, mask: Tensor) -> dict[str, Tensor]:
            return {"total": torch.tensor(self.weight) * (output - mask[..., :6, :6]).square().mean()}

    network, criterion = nn.Conv2d(3, 1, 3), Criterion()
    gradients = Gradients(
        network, criterion, Precision("float32", torch.device("cpu")), False, 1, logging.getLogger("test")
    )
    gradients._whole = steps = GraphedSteps(gradients._passes, network, logging.getLogger("test"), after=0)
    first = [gradients(batch(0), 1, True)["total"], steps.captured]
    gradients.set_epoch(1, 2)
    assert gradients(batch(0), 1, True)["total"] == pytest.approx(2 * float(first[0]))
    assert steps.captured is not None and steps.captured is not first[1]


def test_a_trainer_without_a_gpu_says_that_there_is_no_graph(tmp_path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        trainer = make_trainer(tmp_path, epochs=1, options={"cuda_graph": True})
    assert "Train.cuda_graph has no effect" in caplog.text
    assert trainer.fit().reason == "done"
