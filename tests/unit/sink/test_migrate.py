from pathlib import Path

import pytest

from services.sink.migrate import (
    CannotMigrate,
    Migration,
    new_file,
    pending,
    read_migrations,
    refuse_old_server,
    refuse_unwritten,
)
from services.sink.migrate.__main__ import main

FIRST, SECOND = Migration(1, "first", "SELECT 1"), Migration(2, "second", "SELECT 2")


def applied(migration: Migration) -> tuple[int, str, str]:
    return migration.version, migration.name, migration.checksum


def test_what_is_not_applied_is_pending_in_order() -> None:
    assert pending([FIRST, SECOND], [applied(FIRST)]) == [SECOND]
    assert pending([FIRST, SECOND], []) == [FIRST, SECOND]


def test_a_file_that_changed_after_it_was_applied_is_refused() -> None:
    with pytest.raises(CannotMigrate, match="0001_first changed after it was applied"):
        pending([Migration(1, "first", "SELECT 3")], [applied(FIRST)])


def test_a_newer_database_is_refused() -> None:
    with pytest.raises(CannotMigrate, match="the database is newer than this release: it has migration 0002_second"):
        pending([FIRST], [applied(FIRST), applied(SECOND)])


def test_a_gap_in_the_numbers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0002_second.sql").write_text("SELECT 2")
    with pytest.raises(CannotMigrate, match="0001 is missing"):
        read_migrations(tmp_path)


def test_a_file_with_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001-first.sql").write_text("SELECT 1")
    with pytest.raises(CannotMigrate, match=r"0001-first\.sql is not named"):
        read_migrations(tmp_path)


def test_a_new_file_takes_the_next_number(tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("SELECT 1")
    assert new_file("Keep what people said!", tmp_path).name == "0002_keep_what_people_said.sql"
    assert [migration.version for migration in read_migrations(tmp_path)] == [1, 2]


def test_a_name_without_letters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotMigrate):
        new_file("!!!", tmp_path)


def test_a_name_that_no_file_can_have_is_refused_and_one_of_two_lines_is_one_comment(tmp_path: Path) -> None:
    with pytest.raises(CannotMigrate, match="longer than 80"):
        new_file("x" * 300, tmp_path)
    with pytest.raises(CannotMigrate, match="cannot be written: No such file"):
        new_file("first", tmp_path / "missing")
    assert new_file("Add a column;\nDROP TABLE turns", tmp_path).read_text().count("\n") == 1
    assert new_file("caf\udce9", tmp_path).read_text(encoding="utf-8").startswith("-- caf?. Additive")


def test_a_new_file_that_nobody_has_written_yet_is_refused_before_anything_is_applied(tmp_path: Path) -> None:
    new_file("Add a column", tmp_path)
    with pytest.raises(CannotMigrate, match="0001_add_a_column holds no SQL yet"):
        refuse_unwritten(read_migrations(tmp_path))
    refuse_unwritten([Migration(1, "first", "-- why\nSELECT '--' /* what */"), *read_migrations()])


def test_the_migrations_of_this_release_are_in_order() -> None:
    assert [migration.version for migration in read_migrations()] == list(range(1, len(read_migrations()) + 1))


def test_wrong_usage_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["frobnicate"]) == 2
    assert "apply | status | new NAME" in capsys.readouterr().err


def test_a_postgres_that_is_away_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://undertone:secret@127.0.0.1:1/undertone")
    assert main(["apply"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "DATABASE_URL" in said
    assert "secret" not in said


def test_a_postgres_that_is_too_old_is_refused() -> None:
    refuse_old_server(18)
    with pytest.raises(CannotMigrate, match="Postgres 18 or newer is needed, this server is 17"):
        refuse_old_server(17)
