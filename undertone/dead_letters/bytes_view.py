"""Bytes that strangers wrote, shown so that no terminal obeys them."""

from collections.abc import Iterator

from services.runtime.counting import counted
from undertone.console import harmless, harmless_paragraphs

_BYTES_A_LINE = 16


def as_text(content: bytes) -> str | None:
    """The bytes as text, when they are nothing but text; else None."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if any(ord(character) < 32 and character not in "\t\n\r" for character in text) else text


def shown_line(content: bytes, most: int = 100) -> str:
    """Bytes on one line: as harmless text, or in hexadecimal."""
    text = as_text(content)
    if text is None:
        cut = content[: most // 3]
        return cut.hex(" ") + (f" … ({counted(len(content), 'byte')})" if len(cut) < len(content) else "")
    return harmless(text[:most]) + (f" … ({counted(len(content), 'byte')})" if len(text) > most else "")


def shown_block(content: bytes, most: int) -> Iterator[str]:
    """Up to `most` bytes as lines: harmless text, or a dump in hexadecimal beside its printable characters."""
    cut = content[:most]
    text = as_text(content)
    if text is not None:
        yield harmless_paragraphs(cut.decode(errors="ignore"))
    else:
        for start in range(0, len(cut), _BYTES_A_LINE):
            yield _dumped(start, cut[start : start + _BYTES_A_LINE])
    if len(cut) < len(content):
        yield f"… {counted(len(content) - len(cut), 'byte')} more; --raw writes all of them to a file or a pipe"


def _dumped(start: int, line: bytes) -> str:
    printable = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
    return f"{start:08x}  {line.hex(' ').ljust(3 * _BYTES_A_LINE)}  {printable}"
