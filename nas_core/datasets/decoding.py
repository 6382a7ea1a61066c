"""From an image file's bytes to pixels; hostile and broken files are refused before they cost."""

import io
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
MAX_FILE_BYTES = 64 << 20
MAX_PIXELS = 64_000_000
_PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class RefusedImage(Exception):  # noqa: N818 (a reason to leave out one image, caught at once)
    """An image that is left out; the message is the reason, the same for all of its kind."""


def decode_image(data: bytes, size: int) -> np.ndarray:
    """Decode, turn upright, crop the centre square and resize it (Lanczos).

    Args:
        data: A PNG, JPEG, BMP or WEBP file's content.
        size: Side of the result in pixels.

    Returns:
        uint8 [size, size, 3]; grayscale is repeated, transparency becomes white.

    Raises:
        RefusedImage: Too large, truncated, of another format, or not an image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise RefusedImage(f"more than {MAX_PIXELS // 1_000_000} million pixels")
                # JPEG decodes at a half, quarter or eighth at once, never below twice the result.
                image.draft(None, (2 * size, 2 * size))
                return _to_square(ImageOps.exif_transpose(image), size)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise RefusedImage(f"more than {MAX_PIXELS // 1_000_000} million pixels") from error
    except _PILLOW_ERRORS as error:
        raise RefusedImage("cannot be read as PNG, JPEG, BMP or WEBP") from error


def _to_square(image: Image.Image, size: int) -> np.ndarray:
    image = _to_rgb(image)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.crop(box).resize((size, size), Image.Resampling.LANCZOS))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow's own conversion of 16-bit gray clips at 255 instead of scaling.
        gray = np.asarray(image).astype(np.int64) >> 8
        return Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")
