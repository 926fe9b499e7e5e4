"""Who may write what: offsets with their epochs. Rows are locked in the order of the primary key."""

CLAIM = """
    INSERT INTO consumer_offsets AS o (group_name, topic, partition, epoch, next_offset, cluster_id, owner)
    SELECT $1, n.topic, n.partition, 1, n.beginning, $5, $6
    FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS n (topic, partition, beginning)
    ORDER BY n.topic, n.partition
    ON CONFLICT (group_name, topic, partition)
    DO UPDATE SET epoch = o.epoch + 1, owner = excluded.owner, claimed_at = now()
    RETURNING topic, partition, epoch, next_offset, cluster_id
"""
"""Take partitions over: the epoch goes up, so that an older owner can store nothing more. A group's first claim
starts at the log's beginning."""

ADVANCE = """
    WITH locked AS MATERIALIZED (
        SELECT o.ctid AS place, n.next_offset
        FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[])
            AS n (topic, partition, epoch, first_offset, next_offset)
        JOIN consumer_offsets o
            ON o.group_name = $1 AND o.topic = n.topic AND o.partition = n.partition
            AND o.epoch = n.epoch AND o.next_offset = n.first_offset
        ORDER BY o.topic, o.partition
        FOR NO KEY UPDATE OF o
    ), moved AS (
        UPDATE consumer_offsets o SET next_offset = l.next_offset, stored_at = now()
        FROM locked l WHERE o.ctid = l.place
        RETURNING 1
    )
    SELECT count(*) FROM moved
"""
"""Move the offsets of partitions that are still ours and stand where we left them; gives how many moved. (After a
commit whose answer was lost they stand further: the batch is stored already.)"""

STORED_OFFSETS = """
    SELECT topic, partition, next_offset FROM consumer_offsets WHERE group_name = $1 ORDER BY topic, partition
"""

STORED_WITHIN = """
    SELECT EXISTS (
        SELECT FROM consumer_offsets WHERE group_name = $1 AND topic = $2 AND next_offset > 0
        AND stored_at > now() - make_interval(secs => $3)
    )
"""
"""Whether a batch of this topic was stored in the last seconds."""

STORED = "SELECT * FROM consumer_offsets WHERE group_name = $1 ORDER BY topic, partition"

RESET = """
    INSERT INTO consumer_offsets AS o (group_name, topic, partition, epoch, next_offset, cluster_id, owner)
    VALUES ($1, $2, $3, 1, $4, $5, 'operator')
    ON CONFLICT (group_name, topic, partition) DO UPDATE SET
        epoch = o.epoch + 1, next_offset = excluded.next_offset, cluster_id = excluded.cluster_id,
        owner = excluded.owner, claimed_at = now()
"""
"""A person's decision: go on here, in this cluster. Whoever owned the partition is fenced and claims it anew."""
