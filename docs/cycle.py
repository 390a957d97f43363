"""The drawing of the cycle in README.md, docs/cycle.svg: boxes in two rows, and arrows between them."""

from html import escape

WIDTH, HEIGHT = 900, 248
BOX = 156, 74
LEFT, ACROSS = 16, 178
ROWS = 24, 150
"""Sides of the drawing and of a box, px; where the first column begins, from column to column, and where rows begin."""

UPPER = [
    ("scenario", "params.yaml: what", "values are drawn from"),
    ("render", "pictures, each with", "its exact label"),
    ("train", "networks that differ", "in their seed alone"),
    ("judge", "on real pictures,", "beside thresholds"),
    ("report", "pages and tables,", "MLflow, DVC"),
]
LOWER = [
    ("measure", "real cracks and", "their surfaces"),
    ("resample", "more of what", "networks do worst on"),
    ("score", "synthetic pictures", "that none has seen"),
    ("your pictures", "only ever tested on;", "else a surrogate"),
]
"""Name of each box, from left to right, and the two lines that say what it is."""

FONT = "font-family='system-ui, sans-serif' text-anchor='middle'"


def drawing() -> str:
    """Return the SVG; it lies on a light ground of its own, so that it can be read on any page."""
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}'>",
        "<defs><marker id='tip' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' markerHeight='7' orient='auto'>",
        "<path d='M0 0 L8 4 L0 8 z' fill='#44546a'/></marker></defs>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' rx='10' fill='#f6f7f9'/>",
    ]
    for row, boxes in enumerate((UPPER, LOWER)):
        for column, words in enumerate(boxes):
            parts.append(_box(column, row, words))
    parts += [_across(column, 0, column + 1) for column in range(4)]
    parts += [_across(2, 1, 1), *(_between(column, up=column != 2) for column in range(4))]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _box(column: int, row: int, words: tuple[str, str, str]) -> str:
    left, top, middle = LEFT + column * ACROSS, ROWS[row], LEFT + column * ACROSS + BOX[0] / 2
    fill, line = ("#fdeee3", "#e66101") if column in (1, 2) else ("#ffffff", "#8a97a8")
    name, *said = map(escape, words)
    return "".join(
        [
            f"<rect x='{left}' y='{top}' width='{BOX[0]}' height='{BOX[1]}' rx='8' fill='{fill}' stroke='{line}'/>",
            f"<text x='{middle}' y='{top + 24}' {FONT} font-size='16' font-weight='600' fill='#1b2430'>{name}</text>",
            *(
                f"<text x='{middle}' y='{top + 45 + 17 * n}' {FONT} font-size='12' fill='#3b4757'>{each}</text>"
                for n, each in enumerate(said)
            ),
        ]
    )


def _across(column: int, row: int, to: int) -> str:
    """Return an arrow from a box to its neighbour."""
    right = to > column
    begin = LEFT + column * ACROSS + (BOX[0] + 2 if right else -2)
    return _arrow(begin, ROWS[row] + BOX[1] / 2, begin + (1 if right else -1) * (ACROSS - BOX[0] - 4), 0)


def _between(column: int, up: bool) -> str:
    """Return an arrow between the two boxes of a column."""
    x = LEFT + column * ACROSS + BOX[0] / 2
    begin, end = ROWS[0] + BOX[1] + 2, ROWS[1] - 2
    return _arrow(x, end, x, begin - end) if up else _arrow(x, begin, x, end - begin)


def _arrow(x: float, y: float, to: float, down: float) -> str:
    ends = f"x1='{x}' y1='{y}' x2='{to}' y2='{y + down}'"
    return f"<line {ends} stroke='#44546a' stroke-width='1.6' marker-end='url(#tip)'/>"
