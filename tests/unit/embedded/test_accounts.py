"""Where Postgres lives: in the state folder unless root cannot hand it to an unprivileged account there."""

import os
from pathlib import Path

import pytest

from undertone.embedded import accounts
from undertone.embedded.accounts import PostgresPlace, can_walk_to, choose_postgres_place
from undertone.embedded.process import Account

STRANGER = Account("stranger", 64_000, 64_000)
BINARIES = Path("/usr/bin")


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A root shell whose unprivileged account owns nothing here."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(accounts, "_unprivileged_account", lambda: STRANGER)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder.name:
            folder.chmod(folder.stat().st_mode | 0o001)


def test_whoever_is_not_root_runs_it_as_themselves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    place = choose_postgres_place(tmp_path, BINARIES)
    assert place.account is None
    assert place.data == tmp_path / "postgres" / "data"
    assert not place.is_elsewhere


def test_root_hands_an_open_folder_to_the_unprivileged_account(as_root: None, tmp_path: Path) -> None:
    place = choose_postgres_place(tmp_path, BINARIES)
    assert place.account == STRANGER
    assert place.folder == tmp_path / "postgres"
    assert not place.is_elsewhere


def test_below_a_closed_folder_the_data_goes_to_var_tmp_under_a_name_of_its_own(as_root: None, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    place = choose_postgres_place(closed / "home", BINARIES)
    other = choose_postgres_place(closed / "other", BINARIES)
    assert place.is_elsewhere
    assert place.folder.parent.parent == Path("/var/tmp")
    assert place.folder != other.folder
    assert place.binaries == BINARIES


def test_binaries_below_a_closed_folder_are_used_from_a_copy(as_root: None, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    installed = closed / "site-packages" / "wheel" / "pginstall18" / "bin"
    installed.mkdir(parents=True)
    closed.chmod(0o700)
    place = choose_postgres_place(tmp_path / "home", installed)
    assert place.is_elsewhere
    assert place.binaries.is_relative_to(place.folder.parent)
    assert place.binaries.parts[-3:] == installed.parts[-3:]


def test_the_copy_keeps_the_layout_by_which_programs_find_their_libraries(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    installed = site / "wheel" / "pginstall18" / "bin"
    installed.mkdir(parents=True)
    (installed / "postgres").write_text("program")
    (site / "wheel.libs").mkdir()
    (site / "wheel.libs" / "libpq.so").write_text("library")
    copied = tmp_path / "copy" / "wheel" / "pginstall18" / "bin"
    PostgresPlace(tmp_path / "postgres", copied, installed, None).copy_binaries()
    assert (copied / "postgres").read_text() == "program"
    assert (copied.parents[2] / "wheel.libs" / "libpq.so").read_text() == "library"


def test_a_folder_is_walkable_only_when_every_folder_above_is(as_root: None, tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "open"
    inner.mkdir(parents=True)
    inner.chmod(0o755)
    assert can_walk_to(inner, STRANGER)
    inner.parent.chmod(0o750)
    assert not can_walk_to(inner, STRANGER)
