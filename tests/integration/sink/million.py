"""A database with very many rows, made by the server itself in seconds: for plans.

Insights lie evenly over seven days, a third of them negative, under three channels and eight subjects; one in 5,000
comes by the channel `rare` and one in 2,000 is about `rare` too. Every conversation says `parcel`, one in 100 `week`,
one in 10,000 `unicorn`.
"""

from datetime import UTC, datetime, timedelta

from benchmarks.fill import VERSION, Week, filling

__all__ = ["END", "ROWS", "START", "VERSION", "fill"]

END = datetime(2026, 3, 8, tzinfo=UTC)
DAYS = 7
ROWS = 1_000_000
START = END - timedelta(days=DAYS)

_DRAWN = """
    SELECT n, 'conv_' || lpad(to_hex(hashint8(n) & 65535), 4, '0') || lpad(to_hex(n), 12, '0') AS conversation_id,
        md5(n::text)::uuid AS insight_id,
        $1::timestamptz + n * make_interval(secs => $2::float8) / $3::bigint AS occurred_at,
        (hashint8(n * 7) & 16383) % 20001 - 10000 AS score,
        ((hashint8(n * 11) & 16383) % 10000) / 10000.0::float8 AS confidence,
        CASE WHEN n % 5000 = 0 THEN 'rare' ELSE (ARRAY['chat', 'mail', 'phone'])[1 + (hashint8(n * 13) & 7) % 3] END
            AS channel,
        CASE WHEN n % 2000 = 1 THEN ARRAY['rare', 'other'] ELSE ARRAY[
            (ARRAY['delivery', 'refund', 'billing', 'account', 'baggage', 'booking', 'seating', 'other'])
            [1 + (hashint8(n * 17) & 7)]] END AS topics,
        'My parcel ' || CASE WHEN n % 100 = 3 THEN 'is late by a week'
            WHEN n % 10000 = 5 THEN 'was eaten by a unicorn' ELSE 'has not come' END AS first_words,
        'Oh.' AS reply, 'Yes.' AS last_words
    FROM generate_series($4::bigint, $5::bigint - 1) AS n
"""


async def fill(url: str, rows: int = ROWS) -> None:
    """Fill an empty, migrated database; its tables become unlogged, for nothing is to survive a crash."""
    async with filling(url, Week(rows, DAYS, START, _DRAWN, is_kept=False)) as database:
        await database.run()
