"""The stage measure: what the device reaches at best, then every case beside it, as long as there is time."""

from functools import partial

from . import measure_cases, measure_floor
from .setting import Setting, run_all

PUBLISHED = [  # not measured here: what others have printed, to compare with
    {"name": "BiRefNet_SwinL 1024x1024 batch 1 float32 on an A100", "value": 87.0, "unit": "ms"},
    {"name": "BiRefNet_SwinL 1024x1024 batch 1 float16 on an A100", "value": 69.0, "unit": "ms"},
]


def run(setting: Setting) -> bool:
    """Measure all; whether no case failed."""
    floor = measure_floor.measure(setting)
    if not setting.tried() & {f"published: {row['name']}" for row in PUBLISHED}:
        for row in PUBLISHED:
            setting.add(f"published: {row['name']}", value=row["value"], unit=row["unit"], published=True)
    cases = measure_cases.TINY_CASES if setting.tiny else measure_cases.CASES
    return run_all(setting, ((case.name, partial(measure_cases.measure, setting, floor, case)) for case in cases))
