"""`python -m undertone.sink_module MODULE …`: a module of the sink as part of a command line.

It ends as it would by itself, except that whoever closes the pipe that it writes to (`| head`) has seen enough: 0.
"""

import runpy
import sys

from services.runtime.null_device import discard_output
from undertone import standard_streams
from undertone.errors import OF_THE_MACHINE


def main() -> None:
    """Run the module that the first argument names with the arguments after it."""
    standard_streams.prepare()
    del sys.argv[0]
    try:
        try:
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        finally:
            sys.stdout.flush()  # here, where it may fail: at exit Python would complain
    except OSError as error:
        if error.errno in OF_THE_MACHINE:
            standard_streams.give_up_output()
            sys.exit(f"the system refused to read or write: {error.strerror}")
        if not isinstance(error, BrokenPipeError):
            raise
        discard_output()


if __name__ == "__main__":
    main()
