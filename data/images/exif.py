"""EXIF data that may go with a cut-out: what was said about the photograph, nothing that shows it."""

import logging

from PIL import Image
from PIL.ExifTags import IFD, Base

# All that holds pixels or their layout stays behind: thumbnail, camera makers' notes (with previews), TIFF's strips and layers.
KEPT = (
    Base.ImageDescription, Base.Make, Base.Model, Base.XResolution, Base.YResolution, Base.ResolutionUnit,
    Base.Software, Base.DateTime, Base.Artist, Base.HostComputer, Base.Rating, Base.RatingPercent, Base.Copyright,
    Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject,
)  # fmt: skip
PARTS = (IFD.Exif, IFD.GPSInfo)
LEFT_OUT = (Base.MakerNote, IFD.Interop)  # of the Exif part
LONGEST = 65_000  # bytes that fit into a JPEG
LOG = logging.getLogger("inspyrenet")


def exif_of(image: Image.Image, size: tuple[int, int], label: str) -> bytes | None:
    """The EXIF block of an opened image as it is to be written beside an upright result of `size` (height, width).

    Orientation is 1, and the thumbnail is gone, since it shows what was removed. GPS is in it. None where there is nothing to
    keep. A damaged block is said in the log, and is no error.
    """
    try:
        exif = image.getexif()
        if image.info.get("exif") and not exif:
            raise ValueError("nothing in it can be read")
        return rewritten(exif, size)
    except Exception as error:  # Pillow's reader and writer of EXIF fail in many ways on damaged blocks
        LOG.warning("%s: its EXIF data is damaged and is left out (%s)", label, error)
        return None


def rewritten(exif: Image.Exif, size: tuple[int, int]) -> bytes | None:
    """What is kept of the block, for a result of `size` (height, width); None where that is nothing."""
    kept = Image.Exif()
    kept.update({tag: exif[tag] for tag in KEPT if tag in exif})
    for part in PARTS:
        values = {tag: value for tag, value in exif.get_ifd(part).items() if tag not in LEFT_OUT}
        if values:
            kept.get_ifd(part).update(values)
    if not kept and not any(map(kept.get_ifd, PARTS)):
        return None
    kept[Base.Orientation] = 1
    details = kept.get_ifd(IFD.Exif)
    for tag, side in ((Base.ExifImageWidth, size[1]), (Base.ExifImageHeight, size[0])):
        if tag in details:
            details[tag] = side
    block = kept.tobytes()
    if len(block) > LONGEST:
        raise ValueError(f"{len(block)} bytes are more than fit into a JPEG")
    return block
