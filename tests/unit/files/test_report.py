"""What is said of a request's results."""

from pathlib import Path

import pytest

from inspyrenet.files.report import Report
from inspyrenet.remover.output_paths import FileJob


@pytest.mark.parametrize(
    ("targets", "place"),
    [
        (["a.out.png"], "a.out.png"),
        (["out/a.png", "out/b/c.png"], "out"),
        (["a.out.png", "b.out.png"], "."),
        (["a.out.png", "/photos/b.out.png"], "beside the images"),  # as with several drives of Windows
    ],
)
def test_where_the_results_are(targets, place):
    assert f"→ {place}" in str(Report(done=[FileJob(Path("x.jpg"), Path(target)) for target in targets])).splitlines()
