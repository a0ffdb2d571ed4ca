"""Showing what was found and what is cropped."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple

from PIL import Image, ImageDraw, ImageFont

from .align import AlignedFace
from .landmarks import Point

MAX_SIDE = 1024
"""Longest side of a preview."""

FRAME, POINTS = (250, 204, 21), (52, 211, 153)


def draw_all_faces(pictures: Sequence[Image.Image], faces: Sequence[AlignedFace]) -> list[Image.Image]:
    """Every picture with the faces drawn that were found in it; see `draw_faces`."""
    return [
        draw_faces(picture, [face for face in faces if face.transform.picture == index])
        for index, picture in enumerate(pictures)
    ]


def draw_faces(picture: Image.Image, faces: Sequence[AlignedFace]) -> Image.Image:
    """The picture with every face's crop and points drawn, at most 1024 pixels large. Faces carry their numbers."""
    scale = min(1.0, MAX_SIDE / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    preview = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2)
    draw = ImageDraw.Draw(preview)
    line = max(1, round(max(size) / 400))
    font = ImageFont.load_default(max(10, max(size) // 30))

    def place(points: Iterable[Point]) -> list[tuple[float, float]]:
        return [((x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5) for x, y in points]

    for aligned in faces:
        corners = place(aligned.transform.quad)
        draw.line([*corners, corners[0]], FRAME, line)
        for x, y in place(astuple(aligned.landmarks)):
            draw.ellipse((x - 2 * line, y - 2 * line, x + 2 * line, y + 2 * line), POINTS)
        draw.text(
            place([aligned.transform.centre])[0],
            str(aligned.number),
            FRAME,
            font,
            stroke_width=line,
            stroke_fill=0,
        )
    return preview
