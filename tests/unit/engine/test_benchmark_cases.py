"""Each case of a benchmark is measured under its own conditions, whatever was prepared after it."""

import pytest
import torch

from inspyrenet.engine.benchmark import Case, as_used

SUBNORMAL = 1e-40


@pytest.mark.parametrize("flush", [True, False])
@pytest.mark.parametrize("path", ["plain", "fast"])
def test_subnormal_numbers_are_flushed_where_the_case_says_so(path, flush):
    torch.set_flush_denormal(not flush)
    with as_used(Case("inference", (64, 64), "float32", path, flush=flush), lambda: None):
        assert bool((torch.full((4,), SUBNORMAL) * 1.0 == 0).all()) == flush
