"""The parts of benchmarks/gpu.py. preflight, budget, options and records import nothing heavy."""
