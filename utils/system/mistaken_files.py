"""What a file is that was taken for weights: a download that failed, a picture, a text."""

import codecs

_BEGINNINGS = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself: run `git lfs pull`",
}
HEAD = 256  # bytes that `mistaken_kind` looks at


def mistaken_kind(head: bytes) -> str | None:
    """What a file is that begins so, as the end of a sentence; None where it may hold tensors."""
    if not head:
        return "empty"
    known = next((name for start, name in _BEGINNINGS.items() if head.startswith(start)), None)
    if head.lstrip()[:1] == b"<":
        return "a web page: the download failed or asked for a confirmation"
    if known is None and _is_text(head):
        return f"a text file, not weights; it begins with {head.decode(errors='ignore').strip()[:40]!r}"
    return known


def _is_text(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a text in UTF-8; the last character may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(char.isprintable() or char.isspace() for char in text)
