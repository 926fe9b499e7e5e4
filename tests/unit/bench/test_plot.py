from xml.etree import ElementTree as ET

import pytest

from undertone.bench.plot import svg_of
from undertone.bench.recorder import Slice

SVG = "{http://www.w3.org/2000/svg}"


def slice_at(second: float, *, accepted: int = 100, largest_ms: float = 20.0) -> Slice:
    answers = {"202": accepted, "503": 5} if accepted else {}
    return Slice(second, 1.0, answers, largest_ms / 4, largest_ms / 2, largest_ms)


@pytest.mark.parametrize(
    "slices",
    [
        [slice_at(second) for second in range(10)],
        [slice_at(0), slice_at(1, accepted=0, largest_ms=0), slice_at(2, largest_ms=9000)],
        [slice_at(0)],
        [],
    ],
    ids=["steady", "with a gap", "one", "none"],
)
def test_the_picture_is_well_formed_and_stays_inside_its_frame(slices: list[Slice]) -> None:
    root = ET.fromstring(svg_of(slices, title="<a title>", subtitle="a & b"))
    _, _, width, height = (float(number) for number in root.attrib["viewBox"].split())
    for rectangle in root.iter(f"{SVG}rect"):
        left, top = float(rectangle.get("x", 0)), float(rectangle.get("y", 0))
        assert 0 <= left <= left + float(rectangle.attrib["width"]) <= width
        assert 0 <= top <= top + float(rectangle.attrib["height"]) <= height
    for line in root.iter(f"{SVG}polyline"):
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


def test_a_higher_latency_is_drawn_higher() -> None:
    root = ET.fromstring(svg_of([slice_at(0, largest_ms=10), slice_at(1, largest_ms=1000)], title="", subtitle=""))
    slowest = list(root.iter(f"{SVG}polyline"))[-1].attrib["points"].split()
    first, second = (float(point.split(",")[1]) for point in slowest)
    assert second < first
