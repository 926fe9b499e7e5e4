"""Large buffers are given back when they are freed, whatever was freed before."""

import ctypes
import subprocess
import sys

import pytest

_PROGRAM = """
import ctypes
from services.analyzer.allocator import LARGE_BYTES, keep_large_buffers_apart

class Figures(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Figures
assert keep_large_buffers_apart()
large = bytearray(16 * LARGE_BYTES)
del large  # after this glibc would put smaller ones into its heap
before = libc.mallinfo2().hblks
buffer = bytearray(2 * LARGE_BYTES)
print(libc.mallinfo2().hblks - before)
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="the C library has no mallinfo2: glibc 2.33 or newer has it (Debian 12, Ubuntu 22.04)",
)
def test_a_buffer_has_pages_of_its_own_also_after_a_larger_one_was_freed() -> None:
    ran = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "1", ran.stderr
