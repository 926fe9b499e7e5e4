"""Latency and answers over time as one SVG picture, without a plotting library."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from undertone.bench.recorder import Slice

_WIDTH, _HEIGHT = 960, 560
_LEFT, _RIGHT = 70, 20
_LATENCY_TOP, _LATENCY_BOTTOM = 70, 330
_RATE_TOP, _RATE_BOTTOM = 390, 510
_LINES = (("p50", "#2f6fb7"), ("p99", "#d9822b"), ("max", "#b03a48"))
_STATUS_COLOURS = {"202": "#4c9f70", "429": "#e0b040", "503": "#8c6bb1"}
_OTHER_COLOUR = "#b03a48"
_FONT = 'font-family="system-ui, sans-serif" font-size="12"'
_INK, _FAINT = "#26323f", "#d7dde3"


@dataclass(frozen=True)
class _Axis:
    """Values to pixels."""

    low: float
    high: float
    from_pixel: float
    to_pixel: float
    is_logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._scaled(self.low), self._scaled(self.high)
        part = (self._scaled(min(max(value, self.low), self.high)) - low) / (high - low)
        return round(self.from_pixel + part * (self.to_pixel - self.from_pixel), 1)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.is_logarithmic else value


def svg_of(slices: Sequence[Slice], *, title: str, subtitle: str) -> str:
    """The picture: latency on a logarithmic axis above, answers a second by status below."""
    slices = [one for one in slices if one.seconds >= slices[0].seconds / 4]  # the rest of the last: too few answers
    seconds = max((one.start_seconds + one.seconds for one in slices), default=1.0)
    across = _Axis(0, seconds, _LEFT, _WIDTH - _RIGHT)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT} fill="{_INK}">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 26, title, size=16, weight="600"),
        _text(_LEFT, 45, subtitle),
        *_latency(slices, across),
        *_rates(slices, across),
        *(_text(across(tick), _RATE_BOTTOM + 18, f"{tick:g} s", anchor="middle") for tick in _ticks(seconds, 10)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _latency(slices: Sequence[Slice], across: _Axis) -> Iterable[str]:
    measured = [one for one in slices if one.largest_ms > 0]
    largest = max((one.largest_ms for one in measured), default=1.0)
    least = min((one.p50_ms for one in measured), default=0.1)
    low = 10 ** math.floor(math.log10(max(least, 0.01)))
    high = 10 ** math.ceil(math.log10(max(largest, low * 10)))
    up = _Axis(low, high, _LATENCY_BOTTOM, _LATENCY_TOP, is_logarithmic=True)
    decade = low
    while decade <= high * 1.001:
        yield _grid(up(decade), f"{decade:g} ms")
        decade *= 10
    for place, (name, colour) in enumerate(_LINES):
        values = [(one, {"p50": one.p50_ms, "p99": one.p99_ms, "max": one.largest_ms}[name]) for one in slices]
        points = [(across(one.start_seconds + one.seconds / 2), up(value)) for one, value in values if value > 0]
        yield _line(points, colour)
        yield from _legend(_WIDTH - _RIGHT - 60 * (len(_LINES) - place), _LATENCY_TOP - 14, name, colour)


def _rates(slices: Sequence[Slice], across: _Axis) -> Iterable[str]:
    peak = max((sum(one.answers.values()) / one.seconds for one in slices if one.seconds > 0), default=1.0)
    up = _Axis(0, max(peak, 1.0), _RATE_BOTTOM, _RATE_TOP)
    for tick in _ticks(peak, 3):
        yield _grid(up(tick), f"{tick:,.0f} /s")
    names = sorted({name for one in slices for name in one.answers})
    for one in slices:
        yield from _stack(one, names, across, up)
    for place, name in enumerate(names):
        left = _WIDTH - _RIGHT - 110 * (len(names) - place)
        yield from _legend(left, _RATE_TOP - 14, name, _STATUS_COLOURS.get(name, _OTHER_COLOUR))


def _stack(one: Slice, names: Sequence[str], across: _Axis, up: _Axis) -> Iterable[str]:
    left, right = across(one.start_seconds), across(one.start_seconds + one.seconds)
    below = 0.0
    for name in names:
        rate = one.answers.get(name, 0) / one.seconds if one.seconds > 0 else 0.0
        if rate:
            top = up(below + rate)
            colour = _STATUS_COLOURS.get(name, _OTHER_COLOUR)
            yield (
                f'<rect x="{left}" y="{top}" width="{max(right - left - 0.5, 0.5):.1f}" '
                f'height="{max(up(below) - top, 0.5):.1f}" fill="{colour}"/>'
            )
        below += rate


def _ticks(largest: float, about: int) -> list[float]:
    """Round numbers from 0 to `largest`, roughly so many."""
    rough = max(largest, 1e-9) / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [number * step for number in range(int(largest / step + 1e-9) + 1)]


def _grid(y: float, label: str) -> str:
    line = f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="{_FAINT}"/>'
    return line + _text(_LEFT - 8, y + 4, label, anchor="end")


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    path = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"/>'


def _legend(x: float, y: float, name: str, colour: str) -> Iterable[str]:
    yield f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
    yield _text(x + 15, y, name)


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start", weight: str = "400") -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">{escape(text)}</text>'
    )
