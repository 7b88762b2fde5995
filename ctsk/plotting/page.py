"""A page of texts, bars and lines that are measured before they are drawn."""

import functools
from dataclasses import dataclass

_BAR_HEIGHT, _LINE_HEIGHT = 3.5, 1.35
# Text that is drawn may be wider than the sum of its letters, because these fill whole pixels.
_SAFETY = 1.04
_MOST_LINES = 4
# Blue and vermilion can be told apart by color-blind people; words and triangles say the same.
_STYLES = {
    "title": {"size": 11, "weight": "bold"},
    "name": {"size": 9.5, "weight": "bold"},
    "plain": {"size": 9.5},
    "muted": {"size": 8.5, "color": "0.4"},
    "immutable": {"size": 8.5, "color": "0.55", "style": "italic"},
    "rise": {"size": 9.5, "color": "#0072B2"},
    "fall": {"size": 9.5, "color": "#B34700"},
}


@functools.lru_cache(maxsize=4_096)
def _advance(path, letter):
    """Return the width of a letter of a font, relative to the font size."""
    from matplotlib.font_manager import get_font

    font, size = get_font(path), 100
    # A letter that the font lacks comes from another one, in which it may be as wide as high.
    if not font.get_char_index(ord(letter)):
        return 1.0
    font.set_size(size, 72)
    return font.load_char(ord(letter)).linearHoriAdvance / 65_536 / size


@dataclass
class Page:
    """Texts, bars and rules at their places, in points from the upper left corner.

    Parameters
    ----------
    scale : float
        Factor of all font sizes.

    Attributes
    ----------
    height : float
        Height of the page, which is known when all is added.
    """

    scale: float

    def __post_init__(self):
        """Start an empty page."""
        self.texts, self.bars, self.rules, self.height = [], [], [], 0.0

    def width_of(self, text, style):
        """Return the width of text in points, whatever the backend."""
        from matplotlib.font_manager import FontProperties, findfont

        font = {key: value for key, value in _STYLES[style].items() if key != "color"}
        size, path = font["size"] * self.scale, findfont(FontProperties(**font))
        return size * _SAFETY * sum(_advance(path, letter) for letter in text)

    def fits(self, text, width, style):
        """Return whether `add_text` adds all of a text."""
        return len(self._wrapped(text, width, style)) <= _MOST_LINES

    def add_text(self, text, x, y, width, style):
        """Add text in as many lines as it needs, at most four; return the y below."""
        lines = self._wrapped(text, width, style)
        if len(lines) > _MOST_LINES:
            last = self._cut(f"{lines[_MOST_LINES - 1]} ", width, style)
            lines = [*lines[: _MOST_LINES - 1], last]
        step = _STYLES[style]["size"] * self.scale * _LINE_HEIGHT
        for number, line in enumerate(lines):
            self.texts.append((x, y + number * step, line, style))
        return y + len(lines) * step

    def add_bar(self, share, x, y, width):
        """Add a bar whose length is a share, and the share as text; return the y below."""
        label = f"{share:.0%}"
        length = width - self.width_of("100% ", "muted")
        height = _STYLES["muted"]["size"] * self.scale * _LINE_HEIGHT
        # The middle of the digits lies above that of the line.
        self.bars.append((x, y + 0.4 * height, length, share))
        self.texts.append((x + length + self.width_of(" ", "muted"), y, label, "muted"))
        return y + height

    def add_rule(self, x, y, width):
        """Add a thin line."""
        self.rules.append((x, y, width))

    def _cut(self, text, width, style):
        """Return text that ends in an ellipsis and is no wider than a width."""
        while text and self.width_of(f"{text}…", style) > width:
            text = text[:-1]
        return f"{text}…"

    def _wrapped(self, text, width, style):
        """Return text in lines that are no wider than a width; long words are broken."""
        lines = [""]
        for word in text.split():
            trial = f"{lines[-1]} {word}".strip()
            if self.width_of(trial, style) <= width:
                lines[-1] = trial
                continue
            if lines[-1]:
                lines.append("")
            for letter in word:
                if lines[-1] and self.width_of(lines[-1] + letter, style) > width:
                    # More lines than are shown need not be measured.
                    if len(lines) > _MOST_LINES:
                        return lines
                    # The name of a column is broken behind an underscore if it has one.
                    start, underscore, rest = lines[-1].rpartition("_")
                    if start:
                        lines[-1] = start + underscore
                    lines.append(rest if start else "")
                lines[-1] += letter
        return lines

    def draw(self, ax):
        """Draw everything on axes whose data coordinates are points."""
        from matplotlib.patches import Rectangle

        for x, y, text, style in self.texts:
            font = {**_STYLES[style], "size": _STYLES[style]["size"] * self.scale}
            # A dollar sign in a name starts no formula.
            ax.text(x, y, text, va="top", parse_math=False, **font)
        height = _BAR_HEIGHT * self.scale
        for x, y, length, share in self.bars:
            for part, color in ((1.0, "0.85"), (share, "0.35")):
                bar = Rectangle((x, y - height / 2), part * length, height, color=color, lw=0)
                ax.add_patch(bar)
        for x, y, width in self.rules:
            ax.plot([x, x + width], [y, y], color="0.8", lw=0.6)
