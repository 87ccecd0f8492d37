"""Write a painted clip as a video, to measure speed with.

python -m benchmarks.flicker.paint clip.mp4 --seed 101 --frames 240
"""

import sys
from pathlib import Path

import av

from benchmarks.flicker.clips import painted_clip
from inspyrenet.commands.parser import Parser


def main(argv: list[str] | None = None) -> int:
    """Write it; 0 when done."""
    parser = Parser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("HEIGHT", "WIDTH"))
    options = parser.parse_args(argv)
    height, width = options.size
    with av.open(str(options.video), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for painted in painted_clip(options.seed, options.frames, (height, width)):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(painted.image, format="rgb24")))
        out.mux(stream.encode(None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
