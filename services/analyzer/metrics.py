"""The analyzer's metrics."""

from services.runtime.metrics import SECONDS, Counter, Gauge, Histogram

CALLS = Counter("undertone_analysis_calls", "Calls of an engine, by engine and outcome.", ["engine", "outcome"])
CALL_SECONDS = Histogram(
    "undertone_analysis_call_seconds", "Duration of a call.", ["engine"], buckets=(*SECONDS, 60.0, 120.0)
)
BATCH_SIZE = Histogram(
    "undertone_analysis_batch_size",
    "Conversations in a call, by lane.",
    ["lane"],
    buckets=(1, 2, 5, 10, 20, 30, 40, 50),
)
BATCH_MAXIMUM = Gauge("undertone_analysis_batch_maximum", "The adaptive maximum of a batch, under the active version.")
OUTCOMES = Counter("undertone_analysis_outcomes", "Outcomes published, by kind and lane.", ["kind", "lane"])
SKIPPED = Counter("undertone_analysis_skipped", "Conversations that needed no engine, by rule.", ["reason"])
FAILED = Counter("undertone_analysis_failed", "Conversations that could not be analysed, by reason.", ["reason"])
CACHE_HITS = Counter(
    "undertone_analysis_cache_hits",
    "Conversations answered without a call, by where the finding came from.",
    ["source"],
)
LOOKUPS = Counter("undertone_analysis_lookups", "Look-ups at the sink, by outcome.", ["outcome"])
NOT_LOOKED_UP = Counter(
    "undertone_analysis_not_looked_up",
    "Conversations that went on without a look-up, because the sink did not answer for too long.",
)
BARRIERS = Counter(
    "undertone_analysis_storage_barriers",
    "Partitions that waited after an assignment until the sink had stored their outcomes, by how that ended.",
    ["outcome"],
)
REPEATED = Counter(
    "undertone_analysis_repeated",
    "Conversations whose answer was paid for and whose record comes again: it was given to another by a rebalance. "
    "Each version counts.",
)
GIVEN_UP = Counter(
    "undertone_analysis_given_up",
    "Conversations that were let go without an analysis: under a version that is retired, or that is live no more and "
    "under which no calls can be made.",
)
TOKENS = Counter("undertone_analysis_tokens", "Tokens used, by direction.", ["direction"])
TOKENS_SAVED = Counter(
    "undertone_analysis_tokens_saved", "Estimated tokens that were not spent, by reason.", ["reason"]
)
COST_ESTIMATED = Counter("undertone_analysis_cost_estimated_usd", "Cost as estimated before the calls, in US dollars.")
COST = Counter("undertone_analysis_cost_usd", "Cost as the provider counts it, in US dollars.")
BUDGET = Gauge("undertone_analysis_budget_usd", "The fleet's budget of a day, in US dollars; +Inf is no limit.")
BUDGET_RESERVED = Gauge(
    "undertone_analysis_budget_reserved_usd", "What the fleet spent or reserved of today's (UTC) budget, in US dollars."
)
BUDGET_USED_UP = Gauge(
    "undertone_analysis_budget_used_up",
    "1 while too little of today's budget is left for the lane's next call.",
    ["lane"],
)
IN_FLIGHT_RECORDS = Gauge(
    "undertone_analysis_in_flight_records", "Records between Kafka and their acknowledgement.", ["lane"]
)
IN_FLIGHT_BYTES = Gauge("undertone_analysis_in_flight_bytes", "Bytes of them.", ["lane"])
CALLS_IN_FLIGHT = Gauge("undertone_analysis_calls_in_flight", "Calls that have not been answered yet.")
QUEUE_DEPTH = Gauge("undertone_analysis_queue_depth", "Conversations that wait for a call, by lane.", ["lane"])
OLDEST_WAITING_SECONDS = Gauge(
    "undertone_analysis_oldest_waiting_seconds", "Age in this process of the conversation that waits longest."
)
BREAKER_STATE = Gauge("undertone_analysis_breaker_state", "0 closed, 1 half open, 2 open; the worst of all engines.")
HELD = Gauge("undertone_analysis_held", "1 while calls of the lane are held, under one version at least.", ["lane"])
SHARE = Gauge("undertone_analysis_share", "This instance's part of the fleet's limits, 0 to 1.")
REBALANCES = Counter("undertone_analysis_rebalances", "Rebalances of the group that this instance saw.")
VERSION_LIVE = Gauge(
    "undertone_analysis_version_live",
    "Of each version that this instance has an engine for: 2 is active, 1 live traffic is analysed under it as well.",
    ["analysis_version"],
)
VERSIONS_MISSING = Gauge(
    "undertone_analysis_versions_missing",
    "Versions that live traffic is to be analysed under and no engine here has: the live lane holds.",
)
