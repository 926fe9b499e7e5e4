"""Text that says nothing: white space, control characters and what no reader sees. There is nothing to analyse in it.

A turn may be blank (a picture, a sticker), a conversation may not. Marks such as `?` or an emoji do say something, and
whether that is enough is the analyzer's to judge.
"""

import re


def _written(code_point: int) -> str:
    return f"\\u{code_point:04x}" if code_point <= 0xFFFF else chr(code_point)


_BLANK = (
    (0x0000, 0x0020),
    (0x007F, 0x00A0),
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x1680, 0x1680),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2000, 0x200F),
    (0x2028, 0x202F),
    (0x205F, 0x206F),
    (0x2800, 0x2800),
    (0x3000, 0x3000),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""The properties White_Space and Default_Ignorable_Code_Point, the category Cc (Unicode 16, PropList.txt and
DerivedCoreProperties.txt) and the blank of Braille."""
BLANK_CLASS = "".join(
    f"{_written(first)}-{_written(last)}" if last > first else _written(first) for first, last in _BLANK
)
"""The same for a regular expression, in Python as in JSON Schema."""
_SEEN = re.compile(f"[^{BLANK_CLASS}]")
SURELY_SEEN = frozenset(map(chr, range(0x21, 0x7F)))
"""What most texts begin with."""


def says_something(text: str) -> bool:
    """Whether a reader sees any of it; the text is not empty."""
    return text[0] in SURELY_SEEN or _SEEN.search(text) is not None
