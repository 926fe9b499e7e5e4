"""The sink's metrics."""

from services.runtime.metrics import SECONDS, Counter, Gauge, Histogram

RECORDS = Counter("undertone_sink_records", "Records read, by topic and what they were.", ["topic", "outcome"])
BATCH_RECORDS = Histogram(
    "undertone_sink_batch_records", "Records a batch.", buckets=(1, 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000)
)
STORE_SECONDS = Histogram("undertone_sink_store_seconds", "Time to store a batch.", buckets=SECONDS)
TRANSACTION_RETRIES = Counter("undertone_sink_transaction_retries", "Transactions run again after a deadlock.")
FENCED = Counter("undertone_sink_fenced", "Batches dropped because another sink had claimed their partitions.")
POSTGRES_WAITS = Counter("undertone_sink_postgres_waits", "Times that a batch was held because Postgres was away.")
UNSTORABLE = Counter("undertone_sink_unstorable", "Records that Postgres refused.")
PARTITIONS = Gauge("undertone_sink_partitions", "Partitions of this sink, by state.", ["state"])
LAG = Gauge("undertone_sink_lag_records", "Records in Kafka that are not stored yet, by topic.", ["topic"])
POOL_IN_USE = Gauge("undertone_sink_pool_in_use", "Connections to Postgres in use, by pool.", ["pool"])
STREAM_READERS = Gauge("undertone_sink_stream_readers", "Readers that listen to the stream of insights.")
STREAM_READERS_DROPPED = Counter(
    "undertone_sink_stream_readers_dropped", "Readers of the stream that were cut off because they did not keep up."
)
RETENTION_REMOVED = Counter(
    "undertone_sink_retention_removed", "Rows that left because they were older than SINK_RETENTION_DAYS.", ["kind"]
)
