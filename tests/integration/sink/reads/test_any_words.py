"""Whatever people write is stored: the index of words refuses none of it, however much and however strange."""

import asyncpg
import pytest

_LETTER = "chr(66560 + n % 80) || chr(66560 + n / 80 % 80)"
KINDS = {
    "a word without end": "'x'",
    "different short words": "to_hex(n) || ' '",
    "letters of four bytes": f"{_LETTER} || ' '",
    "parts joined by hyphens": f"{_LETTER} || '-' || chr(66560 + n / 6400 % 80) || '-a ' ",
    "one word of very many parts": f"{_LETTER} || '-'",
    "addresses": "'http://h' || n || '.example/p/' || to_hex(n) || ' '",
    "numbers": "n || '.' || n || 'e-' || n || ' '",
    "a writing without spaces": "chr(19968 + n % 20000)",
    "no letter at all": "'!%_\\:*&|'",
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_conversation_of_any_words_is_stored_and_found(pool: asyncpg.Pool, kind: str) -> None:
    await pool.execute(
        f"""
        INSERT INTO conversation_turns (conversation_id, turns)
        SELECT 'c', json_build_array(
            json_build_object('text', 'A unicorn.'), json_build_object('text', string_agg({KINDS[kind]}, ''))
        )
        FROM generate_series(1, 300000) AS n
        """
    )
    found = await pool.fetchval("SELECT count(*) FROM conversation_turns WHERE words_of(turns) @@ 'unicorn'")
    assert found == 1
