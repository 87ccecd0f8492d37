"""Fine-tuning on a few pairs that keeps the start where the result is not proven better (run/Tune.py)."""
