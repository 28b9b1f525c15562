"""Pretend firmware: images that a pretend `sysupgrade` checks and installs. No device takes them.

An image is a line that says what it is, a line of JSON that says of what version and for which
boards, with the payload's hash and a signature, and the payload. The signing key is well known:
it stands in for the vendor's, so that a test can make images that are damaged or not signed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import Literal

from simulator import stock_config

MAGIC = b"simulated firmware 1\n"
_KEY = b"a key that everybody knows, for images that no device takes"
Boots = Literal["yes", "falls back", "never"]


class ImageError(ValueError):
    """An image that must not be installed; the message is what sysupgrade says."""


@dataclass(frozen=True)
class Image:
    """What an image says of itself."""

    version: str
    revision: str
    boards: tuple[str, ...] = (stock_config.BOARD,)
    boots: Boots = "yes"
    """Whether it starts; `falls back`: after three tries the old one does, as with two
    partitions; `never`: the device is dead."""


def make_image(image: Image, size: int = 4096) -> bytes:
    """An image with a payload of `size` bytes that follow from what it says."""
    seed = json.dumps(asdict(image), sort_keys=True).encode()
    payload = hashlib.shake_256(seed).digest(size)
    header = {**asdict(image), "simulated": True, "sha256": hashlib.sha256(payload).hexdigest()}
    text = json.dumps(header, sort_keys=True)
    return MAGIC + json.dumps({"signed": text, "signature": _sign(text)}).encode() + b"\n" + payload


def read_image(data: bytes, board: str, *, force: bool = False) -> Image:
    """Check an image; with `force` only that it is one and whole.

    Raises
    ------
    ImageError
        No image, damaged, not signed, or not for this board.
    """
    if not data.startswith(MAGIC):
        raise ImageError("Image metadata not present")
    line, _, payload = data[len(MAGIC) :].partition(b"\n")
    try:
        outer = json.loads(line)
        text, signature = str(outer["signed"]), str(outer["signature"])
        said = json.loads(text)
        image = Image(said["version"], said["revision"], tuple(said["boards"]), said["boots"])
        digest = str(said["sha256"])
    except (ValueError, KeyError, TypeError):
        raise ImageError("Invalid image metadata") from None
    if hashlib.sha256(payload).hexdigest() != digest:
        raise ImageError("Image is damaged: its hash differs")
    if force:
        return image
    if not hmac.compare_digest(_sign(text), signature):
        raise ImageError("Image signature not valid")
    if board not in image.boards:
        raise ImageError(f"Device {board} not supported by this image\n"
                         f"Supported devices: {' '.join(image.boards)}")  # fmt: skip
    return image


def _sign(text: str) -> str:
    return hmac.new(_KEY, text.encode(), hashlib.sha256).hexdigest()
