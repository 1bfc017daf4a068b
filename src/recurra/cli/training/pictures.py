"""Pictures that a table names by their paths."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.tables.table import Table
from recurra.data.tables.text_lines import shown_path
from recurra.errors import DataError

_MOST_PIXELS = 50_000_000  # of one file, so that a small file cannot fill the memory


def read_pictures_of(paths: Sequence[Any], table: Table, side: int) -> NDArray[np.uint8]:
    """Return the pictures at n paths, brought to one size: (n, side, side, 3).

    Paths are relative to the table's folder. What is not square gets margins in the colour of its
    first pixel. Raises `DataError`, which names the table's row, for one that cannot be read.
    """
    from PIL import Image

    folder = Path(table.source).parent
    pictures = np.empty((len(paths), side, side, 3), dtype=np.uint8)
    for k, (row, path) in enumerate(zip(table.rows, paths, strict=True)):
        where = f"{table.source}, row {row}"
        place = folder / str(path)
        try:
            with Image.open(place) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise DataError(f"{where}: {shown_path(place)} has more than 50 M pixels.")
                pictures[k] = _squared(image.convert("RGB"), side)
        except DataError:
            raise
        except FileNotFoundError:
            raise DataError(f"{where}: there is no picture {shown_path(place)}.") from None
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            reason = getattr(error, "strerror", None) or "it is no picture, or it is damaged"
            raise DataError(f"{where}: {shown_path(place)} cannot be read, {reason}.") from None
    return pictures


def _squared(image: Any, side: int) -> NDArray[np.uint8]:
    from PIL import Image

    longest = max(image.size)
    if image.width != image.height:
        square = Image.new("RGB", (longest, longest), image.getpixel((0, 0)))
        square.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
        image = square
    if longest != side:
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8)
