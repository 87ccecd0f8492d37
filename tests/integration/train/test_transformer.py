"""A Vision Transformer as the encoder: fine-tuned by LoRA, and tested from its run folder."""

import torch

from inspyrenet.commands import test, train
from inspyrenet.lib import build_model
from inspyrenet.utils.train.checkpoint import read_weights

ENCODER = "Model.encoder=vit_tiny_patch16_224"


def test_lora_ends_in_weights_that_know_nothing_of_it(tiny, tmp_path, capsys):
    small = build_model("InSPyReNet_Light", encoder="vit_tiny_patch16_224", depth=8, base_size=(64, 64))
    torch.save(small.state_dict(), tmp_path / "start.pth")
    words = [
        ENCODER,
        "Train.FineTune.lora={rank: 2, alpha: 4}",
        f"Train.FineTune.weights={tmp_path}/start.pth",
        "Train.FineTune.strict=false",
        "Train.Optimizer.layer_decay=0.75",
        "Train.Validation.fraction=0.3",
        "Train.Dataloader.batch_size=2",
    ]
    assert train.main(["-c", str(tiny), *words, "-v", "--device", "cpu"]) == 0
    printed = capsys.readouterr().err
    assert "entries loaded; " in printed and "of another shape (" in printed  # the decoder's depth differs
    assert "corrections of 48 linear layers" in printed
    start, tuned = small.state_dict(), read_weights(tmp_path / "snapshots" / "tiny" / "best.pth")
    assert not any("parametrizations" in name for name in tuned)
    changed = [n for n in start if n.startswith("backbone.net.") and not torch.equal(start[n], tuned[n])]
    assert changed and all(
        name.endswith((".qkv.weight", ".proj.weight", ".fc1.weight", ".fc2.weight")) for name in changed
    )
    assert test.main(["-c", str(tiny), ENCODER, "--device", "cpu"]) == 0
