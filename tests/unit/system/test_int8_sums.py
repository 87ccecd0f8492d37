"""utils/system/int8_sums.py: which processors may saturate sums of 8-bit products."""

import pytest

from inspyrenet.utils.system import int8_sums


@pytest.mark.parametrize(
    "content, expected",
    [
        ("processor : 0\nflags\t\t: fpu avx2 fma\n", True),
        ("processor : 0\nflags\t\t: fpu avx2 avx512_vnni\n", False),
        ("processor : 0\nflags\t\t: fpu avx2 avx_vnni\n", False),
        ("processor : 0\nFeatures\t: fp asimd\n", False),
        (None, False),
    ],
)
def test_only_x86_without_the_instructions_may(content, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(int8_sums, "CPU_INFO", tmp_path / "cpuinfo")
    if content is not None:
        (tmp_path / "cpuinfo").write_text(content)
    assert int8_sums.may_saturate() is expected
