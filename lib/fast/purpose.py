"""What a forward pass is for, on which its formulation may depend; nothing else in lib asks torch about it."""

import torch


def for_training() -> bool:
    """Whether what is computed now is kept for a backward pass (and not traced by a compiler, which decides that itself)."""
    return torch.is_grad_enabled() and not for_compiler()


def for_inference() -> bool:
    """Whether nothing is kept, and no compiler traces what is computed now."""
    return not (torch.is_grad_enabled() or for_compiler())


def for_compiler() -> bool:
    """Whether a compiler, torch.export included, traces what is computed now."""
    return torch.compiler.is_compiling()


def for_export() -> bool:
    """Whether torch.export records a graph, in which sizes may be symbols."""
    return torch.compiler.is_exporting()
