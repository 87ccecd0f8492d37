"""Whether a processor adds up products of 8-bit numbers exactly."""

from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
EXACT = {"avx512_vnni", "avx_vnni", "amx_int8"}  # as Linux calls the instructions


def may_saturate() -> bool:
    """True for an x86 processor without such instructions, where onnxruntime adds pairs of products in 16 bits.

    Only Linux tells; elsewhere, and on other processors, which add them exactly, it is False.
    """
    try:
        lines = CPU_INFO.read_text(errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), None)  # ARM has "Features" in its place
    return flags is not None and not EXACT & set(flags.split())
