"""Room for many connections: each is an open file to the system."""

import resource

from undertone.errors import UsageProblem


def allow_open_files(wanted: int) -> None:
    """Raise this process's limit, which its children inherit, as far as the system lets us.

    Raises UsageProblem when that is not enough.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise UsageProblem(f"This needs {wanted:,} open files and the system allows {hard:,}: raise `ulimit -Hn`.")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
