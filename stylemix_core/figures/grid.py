"""Labelled comparison sheets."""

import math
from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw

from ..drawing import BACKGROUND, TEXT, Font, background, font_for, shorten
from ..errors import StyleMixError
from ..images import check_finite, from_pil, resize
from ..wording import counted, there_are
from .picks import Pick

MOST_RESULTS = 8
"""Results in a line, at most, where a single source has more."""

OVERVIEW_SIDE = 256
"""The longer side of a picture in an overview, in pixels."""

Pictures = torch.Tensor | Sequence[torch.Tensor]

Cells = Sequence[Sequence[torch.Tensor | None]]
"""Rows of pictures; None leaves a place empty."""
Captions = list[list[str]]
"""One list of captions per row of cells; an empty one takes no space."""
Text = tuple[float, float, str]
"""What is written, and where: x and y of its anchor."""


def compare_grid(
    images: Pictures,
    labels: Sequence[str] | None = None,
    columns: int = 0,
    source: Pictures | None = None,
    style: Pictures | None = None,
    rows: Sequence[str] | None = None,
    top: Pictures | None = None,
) -> torch.Tensor:
    """Lay pictures out on one sheet.

    images: `[B, 3, 1 or 4, H, W]` in −1…1, or a sequence of such pictures of any sizes. The first sets the
        cells' size; others are fitted into it, keeping their proportions.
    labels: one per picture. With `source` or `style` also one per column, written once at the top. Labels as
        `result_labels` gives them are taken apart: of "0-6 · source 2 · style 1" the column is headed by
        "0-6 · style 1" and the row by "source 2".
    columns: pictures in a row, 0 for a balanced sheet. Leave at 0 with `source` or `style`.
    source, style: one picture, or one per row, shown before the row's results. All sources then have
        equally many results: those of source 0 first, as `inject` returns them. A single row of more than
        `MOST_RESULTS` is wrapped.
    rows: one label per row, written to its left.
    top: pictures above the columns, one each, or one for every few columns: the styles of a mixing matrix.
    Returns the sheet, `[1, 3, height, width]` in −1…1. `StyleMixError` when counts do not fit.

    >>> pictures = G.synthesis(sm.inject(faces, style, sm.parse_masks("0-3; all", G.num_ws)))
    >>> sheet = sm.compare_grid(pictures, ["0-3", "all"], source=G.synthesis(faces), style=G.synthesis(style))
    >>> sm.save_image("sheet.png", sheet[0])
    """
    results = _pictures(images, "images")
    if columns < 0:
        raise StyleMixError(f"columns is {columns}; expected a number of columns, or 0 for a balanced sheet")
    given = {"source": source, "style": style}
    leading = {name: _pictures(pictures, name) for name, pictures in given.items() if pictures is not None}
    if leading:
        cells, captions = _rows_with_leading(results, labels, columns, leading)
    else:
        cells, captions = _balanced_rows(results, labels, columns)
    if rows is None and leading:
        captions, rows = _headings(captions, len(leading))
    if rows is not None and len(rows) != len(cells):
        raise StyleMixError(
            f"{there_are(len(rows), 'row label')} for {counted(len(cells), 'row')}; give one per row"
        )
    if top is not None:
        cells, captions = _below(_pictures(top, "top"), cells, captions, len(leading))
        rows = ["", *rows] if rows else rows
    elif leading and len(cells) == 1:
        cells, captions = _wrapped(cells[0], captions[0], len(leading))
        rows = [*rows, *[""] * (len(cells) - 1)] if rows else rows
    return _draw(cells, captions, [_one_line(row) for row in rows or ()], *results[0].shape[1:])[None]


def row_picks(values: Sequence[str], height: int, width: int) -> list[Pick]:
    """The rows of a sheet with headed columns of pictures so large, and what each of them stands for."""
    gap, _, line = _spaces(height, width)
    whole = gap + len(values) * (height + gap) + line
    tops = (gap + line + row * (height + gap) for row in range(len(values)))
    return [Pick((0, top / whole, 1, (top + height) / whole), value) for top, value in zip(tops, values)]


def overview(pictures: torch.Tensor) -> torch.Tensor:
    """A batch `[B, 3, 1 or 4, H, W]` as one picture `[3, height, width]`: itself, or a sheet of small ones."""
    if len(pictures) > 1:
        height, width = pictures.shape[2:]
        scale = min(1, OVERVIEW_SIDE / max(height, width))
        pictures = compare_grid(resize(pictures, max(round(height * scale), 1), max(round(width * scale), 1)))
    return pictures[0]


def _balanced_rows(
    results: list[torch.Tensor], labels: Sequence[str] | None, columns: int
) -> tuple[Cells, Captions]:
    count = len(results)
    if labels is not None and len(labels) != count:
        raise StyleMixError(
            f"{there_are(len(labels), 'label')} for {counted(count, 'picture')}; give one per picture"
        )
    if columns == 0:
        row_count = math.ceil(count / math.ceil(math.sqrt(1.5 * count)))  # a little wider than high
        columns = math.ceil(count / row_count)
    starts = range(0, count, columns)
    captions = [_one_line(label) for label in labels or ()]
    return [results[i : i + columns] for i in starts], [captions[i : i + columns] for i in starts]


def _rows_with_leading(
    results: list[torch.Tensor],
    labels: Sequence[str] | None,
    columns: int,
    leading: dict[str, list[torch.Tensor]],
) -> tuple[Cells, Captions]:
    if columns:
        raise StyleMixError(
            "columns must be 0 beside a source or style, where a row holds one source's results"
        )
    row_count = max(map(len, leading.values()))
    for name, pictures in leading.items():
        if len(pictures) not in (1, row_count):
            raise StyleMixError(
                f"{there_are(len(pictures), f'{name} picture')} for {counted(row_count, 'row')}; "
                "give one, or one per row"
            )
    per_row, rest = divmod(len(results), row_count)
    if rest or not per_row:
        raise StyleMixError(
            f"{counted(len(results), 'picture')} cannot fill {counted(row_count, 'row')} evenly; "
            "give every row equally many"
        )
    cells = [
        [pictures[row % len(pictures)] for pictures in leading.values()]
        + results[row * per_row : (row + 1) * per_row]
        for row in range(row_count)
    ]
    captions = [_one_line(label) for label in ([""] * per_row if labels is None else labels)]
    if len(captions) == per_row:
        return cells, [[*leading, *captions]] + [[]] * (row_count - 1)
    if len(captions) == len(results):
        return cells, [[*leading, *captions[row * per_row : (row + 1) * per_row]] for row in range(row_count)]
    raise StyleMixError(
        f"{there_are(len(captions), 'label')} for {counted(len(results), 'picture')} in {counted(per_row, 'column')}; "
        "give one per picture or one per column"
    )


def _headings(captions: Captions, leading: int) -> tuple[Captions, list[str] | None]:
    """Write once at the top what is the same in every row, and to the left what is the same in every column."""
    parts = [[caption.split(" · ") for caption in row[leading:]] for row in captions]
    if len(captions) < 2 or len({len(caption) for row in parts for caption in row}) != 1:
        return captions, None
    places = range(len(parts[0][0]))
    heads = [place for place in places if all(_same(place, column) for column in zip(*parts))]
    tails = [place for place in places if place not in heads]
    if not all(_same(place, row) for place in tails for row in parts):
        return captions, None
    columns = [" · ".join(caption[place] for place in heads) for caption in parts[0]]
    rows = [" · ".join(row[0][place] for place in tails) for row in parts]
    return [captions[0][:leading] + columns] + [[]] * (len(captions) - 1), rows if any(rows) else None


def _wrapped(row: Sequence[torch.Tensor | None], texts: list[str], leading: int) -> tuple[Cells, Captions]:
    """A row of many results in several lines of about equal length, below each other."""
    count = len(row) - leading
    each = math.ceil(count / math.ceil(count / MOST_RESULTS))
    lines = [slice(start, start + each) for start in range(leading + each, len(row), each)]
    first, empty = slice(leading + each), [None] * leading
    cells: Cells = [row[first], *([*empty, *row[line]] for line in lines)]
    return cells, [texts[first], *([""] * leading + texts[line] for line in lines)]


def _same(place: int, captions: Sequence[list[str]]) -> bool:
    """Whether captions, taken apart, have the same part in a place."""
    return len({caption[place] for caption in captions}) == 1


def _below(top: list[torch.Tensor], cells: Cells, captions: Captions, leading: int) -> tuple[Cells, Captions]:
    """Put a row of pictures above the columns of results, under the columns' headings if there are any."""
    columns = len(cells[0]) - leading
    if columns % len(top):
        raise StyleMixError(
            f"{there_are(len(top), 'top picture')} for {counted(columns, 'column')}; give one per column"
        )
    each = columns // len(top)
    row: list[torch.Tensor | None] = [None] * leading
    row += [picture for picture in top for _ in range(each)]
    headed = any(captions[0]) and not any(map(any, captions[1:]))
    below = [captions[0], *[[]] * len(cells)] if headed else [[], *captions]
    return [row, *cells], below


def _draw(cells: Cells, captions: Captions, rows: list[str], height: int, width: int) -> torch.Tensor:
    """The sheet, `[3, height, width]`. Pictures are copied into it as they are; Pillow writes the words alone."""
    gap, size, line = _spaces(height, width)
    font = font_for(size, "".join(rows + sum(captions, [])))
    gutter = min(width, math.ceil(max(map(font.getlength, rows)))) + gap if rows else 0

    strips = [line if any(row) else 0 for row in captions]
    columns = max(map(len, cells))
    sheet = background(
        gap + len(cells) * (height + gap) + sum(strips), gutter + gap + columns * (width + gap)
    )
    labels: list[Text] = []
    y = gap
    for index, (pictures, texts, strip) in enumerate(zip(cells, captions, strips, strict=True)):
        lefts = [gutter + gap + column * (width + gap) for column in range(len(pictures))]
        if strip:
            places = [
                (x + width / 2, strip / 2, shorten(text, width, font))
                for x, picture, text in zip(lefts, pictures, texts)
                if picture is not None
            ]
            _write(sheet[:, y : y + strip], places, font, "mm")
        for x, picture in zip(lefts, pictures):
            if picture is not None:
                _place(picture, sheet[:, y + strip : y + strip + height, x : x + width])
        if rows:
            labels.append((gutter, y + strip + height / 2, shorten(rows[index], gutter - gap, font)))
        y += strip + height + gap
    _write(sheet[:, :, :gutter], labels, font, "rm")
    return sheet


def _spaces(height: int, width: int) -> tuple[int, int, int]:
    """The gap between pictures, the size of words, and the height of their line, in pixels."""
    size = max(10, round(0.08 * min(height, width)))
    return max(2, min(height, width) // 32), size, math.ceil(1.7 * size)


def _write(place: torch.Tensor, texts: Sequence[Text], font: Font, anchor: str) -> None:
    """Write texts on background, `[3, height, width]`."""
    if texts:
        image = Image.new("RGB", (place.shape[2], place.shape[1]), BACKGROUND)
        draw = ImageDraw.Draw(image)
        for x, y, text in texts:
            draw.text((x, y), text, TEXT, font, anchor=anchor)
        place.copy_(from_pil(image)[0])


def _pictures(pictures: Pictures, name: str) -> list[torch.Tensor]:
    """Single pictures `[C, H, W]`."""
    batches = [pictures] if isinstance(pictures, torch.Tensor) else pictures
    singles: list[torch.Tensor] = []
    for batch in batches:
        if batch.ndim not in (3, 4) or batch.shape[-3] not in (1, 3, 4) or 0 in batch.shape:
            raise StyleMixError(
                f"{name} has the shape {list(batch.shape)}; expected [batch, 3, 1 or 4, height, width]"
            )
        check_finite(batch, name)
        singles += batch if batch.ndim == 4 else [batch]
    if not singles:
        raise StyleMixError(f"{name} holds no picture; give at least one")
    return singles


def _place(picture: torch.Tensor, cell: torch.Tensor) -> None:
    """Put a picture into the middle of a cell `[3, height, width]`, as large as the cell allows."""
    (height, width), (own_height, own_width) = cell.shape[1:], picture.shape[1:]
    scale = min(height / own_height, width / own_width)
    size = [max(1, round(side * scale)) for side in (own_height, own_width)]
    fitted = resize(picture.detach().float()[None], *size)[0]
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    cell = cell[:, top : top + size[0], left : left + size[1]]
    if len(fitted) == 4:
        colour, opacity = torch.split(fitted.to(cell).clamp(-1, 1), [3, 1])
        cell.lerp_(colour, opacity / 2 + 0.5)
    else:
        torch.clamp(fitted.to(cell.device).expand(3, -1, -1), -1, 1, out=cell)


def _one_line(label: str) -> str:
    return " ".join(label.split())
