"""Reply chains of any size put together on disk: tweets go in in any order, whole conversations come out.

A conversation is everything that hangs together by replies under one first tweet: one that answers nothing, or
whose answered tweet is not in the file. SQLite holds the tweets, so that memory does not grow with their number.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from schemas.conversation_received import MAX_TURNS
from undertone.ingest.tweets import Tweet

_COMPLETE = 1
"""PRAGMA user_version of a store into which the whole file went."""

# Losing the store costs only reading the file again, so it needs no journal.
_OPEN = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA temp_store = FILE;
    PRAGMA cache_size = -32768;
"""
_BEGIN = """
    DROP TABLE IF EXISTS tweets;
    DROP TABLE IF EXISTS answers;
    DROP TABLE IF EXISTS rejected;
    DROP TABLE IF EXISTS places;
    CREATE TABLE tweets (line INTEGER PRIMARY KEY, id TEXT, parent TEXT, at_ms INTEGER, inbound INTEGER,
                         author TEXT, text TEXT);
    CREATE TABLE answers (id TEXT, parent TEXT);
    CREATE TABLE rejected (line INTEGER PRIMARY KEY, field TEXT, problem TEXT);
    CREATE TABLE places (root INTEGER, line INTEGER, at_ms INTEGER, depth INTEGER);
"""
_REJECT_REPEATED = """
    CREATE INDEX tweets_id ON tweets (id, line);
    INSERT INTO rejected (line, field, problem)
        SELECT copy.line, 'tweet_id', 'stands in the file a second time' FROM tweets AS copy
        WHERE EXISTS (SELECT 1 FROM tweets AS earlier WHERE earlier.id = copy.id AND earlier.line < copy.line);
    DELETE FROM tweets WHERE line IN (SELECT line FROM rejected);
"""
_LINK_BY_ANSWERS = """
    CREATE INDEX answers_id ON answers (id, parent);
    UPDATE tweets SET parent = (SELECT answers.parent FROM answers
                                WHERE answers.id = tweets.id AND answers.parent <> tweets.id)
        WHERE parent IS NULL;
    DROP TABLE answers;
    CREATE INDEX tweets_parent ON tweets (parent);
"""
_PLACE_UNDER = """
    INSERT INTO places
    WITH RECURSIVE tree (root, line, id, at_ms, depth) AS (
        SELECT line, line, id, at_ms, 0 FROM tweets AS root WHERE {is_root}
        UNION ALL
        SELECT tree.root, reply.line, reply.id, reply.at_ms, tree.depth + 1
        FROM tree JOIN tweets AS reply ON reply.parent = tree.id
    )
    SELECT root, line, at_ms, depth FROM tree
"""
_PLACE_UNDER_FIRST_TWEETS = _PLACE_UNDER.format(
    is_root="parent IS NULL OR NOT EXISTS (SELECT 1 FROM tweets AS other WHERE other.id = root.parent)"
)
_PLACE_UNDER_ONE = _PLACE_UNDER.format(is_root="line = :line")
_INDEX_PLACES_BY_LINE = "CREATE INDEX places_line ON places (line)"
_UNPLACED = """
    SELECT line FROM tweets WHERE NOT EXISTS (SELECT 1 FROM places WHERE places.line = tweets.line)
    ORDER BY at_ms, line
"""
_NEWEST = "SELECT COALESCE(MAX(CASE WHEN at_ms <= ? THEN at_ms END), MAX(at_ms)) FROM tweets"
_SORT_PLACES = "CREATE INDEX places_order ON places (root, at_ms, depth, line)"
_CONVERSATIONS = """
    SELECT places.root, tweets.line, tweets.id, tweets.at_ms, tweets.inbound, tweets.author, tweets.text
    FROM places CROSS JOIN tweets ON tweets.line = places.line
    ORDER BY places.root, places.at_ms, places.depth, places.line
"""


@dataclass(frozen=True, slots=True)
class StoredTweet:
    """A tweet with its line in the file and that of its conversation's first tweet; `at_ms` is since 1970."""

    root: int
    line: int
    id: str
    at_ms: int
    is_from_customer: int
    author: str
    text: str


class ThreadStore:
    """The tweets of one file, on disk. Close it; delete it when the file was ingested."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = sqlite3.connect(path)
        self._database.executescript(_OPEN)

    @property
    def is_complete(self) -> bool:
        """Whether the whole file is here already, from an ingest that was interrupted later."""
        return self._number("PRAGMA user_version") == _COMPLETE

    def begin(self) -> None:
        """Forget what an interrupted reading left."""
        self._database.executescript(_BEGIN)

    def add(self, tweets: Iterable[tuple[int, Tweet]]) -> None:
        """Take tweets with their lines."""
        rows = []
        links = []
        for line, tweet in tweets:
            at_ms = round(tweet.at.timestamp() * 1000)
            rows.append((line, tweet.id, tweet.parent, at_ms, tweet.is_from_customer, tweet.author, tweet.text))
            links += [(answer, tweet.id) for answer in tweet.answers]
        self._database.executemany("INSERT INTO tweets VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._database.executemany("INSERT INTO answers VALUES (?, ?)", links)

    def reject(self, line: int, field: str, problem: str) -> None:
        """Remember a row that is no tweet."""
        self._database.execute("INSERT OR IGNORE INTO rejected VALUES (?, ?, ?)", (line, field, problem))

    def complete(self) -> None:
        """Put the conversations together from what was added."""
        self._database.executescript(_REJECT_REPEATED)
        self._database.executescript(_LINK_BY_ANSWERS)
        self._database.execute(_PLACE_UNDER_FIRST_TWEETS)
        self._place_circles()
        self._database.execute(_SORT_PLACES)
        self._database.execute(f"PRAGMA user_version = {_COMPLETE}")
        self._database.commit()

    def _place_circles(self) -> None:
        """Tweets that answer each other in a circle have no first one: the earliest of each circle becomes it."""
        self._database.execute(_INDEX_PLACES_BY_LINE)
        for (line,) in self._database.execute(_UNPLACED).fetchall():
            if self._number("SELECT COUNT(*) FROM places WHERE line = ?", line) == 0:
                self._database.execute("UPDATE tweets SET parent = NULL WHERE line = ?", (line,))
                self._database.execute(_PLACE_UNDER_ONE, {"line": line})
        self._database.execute("DROP INDEX places_line")

    def rejected(self) -> Iterator[tuple[int, str, str]]:
        """Line, column and problem of each row that is no tweet, in the file's order."""
        yield from self._database.execute("SELECT line, field, problem FROM rejected ORDER BY line")

    def newest_ms(self, latest_ms: int) -> int | None:
        """The time of the newest tweet up to `latest_ms`; the newest of all when every one is later."""
        return self._number(_NEWEST, latest_ms)

    def count(self) -> int:
        """How many conversations and rejected rows there are (a conversation of over 500 tweets counts once)."""
        conversations = self._number("SELECT COUNT(*) FROM places WHERE depth = 0") or 0
        return conversations + (self._number("SELECT COUNT(*) FROM rejected") or 0)

    def conversations(self) -> Iterator[list[StoredTweet]]:
        """Each conversation in the order of time; one of more than 500 tweets in parts of 500.

        They come in the order in which their first tweets stand in the file.
        """
        tweets = (StoredTweet(*row) for row in self._database.execute(_CONVERSATIONS))
        for _, thread in groupby(tweets, key=attrgetter("root")):
            part: list[StoredTweet] = []
            for tweet in thread:
                part.append(tweet)
                if len(part) == MAX_TURNS:
                    yield part
                    part = []
            if part:
                yield part

    def _number(self, query: str, *parameters: object) -> int | None:
        row: tuple[int | None] = self._database.execute(query, parameters).fetchone()
        return row[0]

    def close(self) -> None:
        """Keep the file for the next run."""
        self._database.close()

    def delete(self) -> None:
        """Close and remove the file."""
        self.close()
        self._path.unlink(missing_ok=True)
