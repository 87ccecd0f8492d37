"""For all tests: subnormal numbers are zero, as in every command; with them some networks take minutes on a CPU."""

from inspyrenet.utils.precision import flush_denormals

flush_denormals()
