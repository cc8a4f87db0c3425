"""A confusion matrix as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

CELL, LABEL, TITLE = 64, 110, 56
DARK, LIGHT = (8, 48, 107), (247, 251, 255)


def confusion_picture(matrix: Sequence[Sequence[float]], classes: Sequence[str], title: str) -> bytes:
    """A PNG: rows are the true classes, columns the predicted ones; counts, shaded by their share of the row."""
    from PIL import Image, ImageDraw, ImageFont

    side = CELL * len(classes)
    image = Image.new("RGB", (LABEL + side + 16, TITLE + side + 40), "white")
    draw, font, small = ImageDraw.Draw(image), ImageFont.load_default(16), ImageFont.load_default(13)
    draw.text((10, 8), title, "black", font)
    draw.text((LABEL, 32), "columns: predicted class; rows: true class; colour: share of the row", "gray", small)
    for row, counts in enumerate(matrix):
        top, total = TITLE + row * CELL, sum(counts) or 1.0
        draw.text((LABEL - 8, top + CELL / 2), classes[row][:14], "black", small, anchor="rm")
        draw.text((LABEL + (row + 0.5) * CELL, TITLE + side + 14), classes[row][:9], "black", small, anchor="mm")
        for column, count in enumerate(counts):
            share, left = count / total, LABEL + column * CELL
            shade = tuple(round(light + (dark - light) * share) for light, dark in zip(LIGHT, DARK, strict=True))
            draw.rectangle((left, top, left + CELL, top + CELL), fill=shade, outline=(255, 255, 255))
            ink = "white" if share > 0.5 else "black"
            draw.text((left + CELL / 2, top + CELL / 2), f"{count:g}", ink, font, anchor="mm")
    picture = io.BytesIO()
    image.save(picture, "PNG", compress_level=1)
    return picture.getvalue()
