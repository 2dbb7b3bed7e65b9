-- Messages: as they were received, and what became of them.

-- name: message
-- A message by its id, whole.
SELECT n, id, received_at, duplicates, body, raw FROM messages WHERE id = ? AND tenant = ?

-- name: place
-- Where a message stands in the order of receipt, or stood.
SELECT n FROM messages WHERE id = ?1 UNION ALL SELECT n FROM purged WHERE id = ?1

-- name: aside
-- A message that was put aside, whole.
SELECT n, id, received_at, duplicates, body, raw FROM aside_messages WHERE id = ? AND tenant = ?

-- name: last
-- The newest row number that was ever given.
SELECT max(coalesce((SELECT max(n) FROM messages), 0), coalesce((SELECT max(n) FROM purged), 0))

-- name: newest
-- What the messages from a row number on are found by.
SELECT n, digests FROM messages WHERE n >= ?

-- name: since
-- The first message since a moment.
SELECT n FROM messages WHERE tenant = ? AND received_at >= ? ORDER BY received_at, n LIMIT 1

-- name: heard
-- When each feed brought its last message, of those that brought one since a moment.
SELECT feed, max(received_at) FROM messages WHERE tenant = ? AND received_at >= ? GROUP BY feed

-- name: before
-- The last message before a moment.
SELECT n FROM messages WHERE tenant = ? AND received_at < ? ORDER BY received_at DESC, n DESC LIMIT 1

-- name: about
-- The records under many keys.
SELECT r.id FROM record_keys k JOIN records r ON r.n = k.record WHERE k.digest IN (:many)

-- name: known
-- Which of many dedup keys were used before.
WITH sent (dedup) AS (VALUES :rows)
SELECT dedup FROM sent WHERE EXISTS (SELECT 1 FROM messages m WHERE m.dedup = sent.dedup)
    OR EXISTS (SELECT 1 FROM purged p WHERE p.dedup = sent.dedup)

-- name: same
-- The message that has this dedup key and this hash.
SELECT id, hash, received_at, body FROM messages WHERE dedup = ?1 AND hash = ?2
UNION ALL SELECT id, hash, received_at, NULL FROM purged WHERE dedup = ?1 AND hash = ?2

-- name: other
-- Another message that has this dedup key, since a moment.
SELECT id, hash, received_at, body FROM messages WHERE dedup = ?1 AND hash <> ?2 AND received_at >= ?3
UNION ALL SELECT id, hash, received_at, NULL FROM purged WHERE dedup = ?1 AND hash <> ?2 AND received_at >= ?3 LIMIT 1

-- name: add
-- A message.
INSERT INTO messages (n, id, tenant, feed, received_at, state, type, event, duplicates, dedup, hash, digests, body, raw)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_key
-- The messages of a lot that have a key.
INSERT INTO message_keys (lot, digest, messages) VALUES (?, ?, ?)

-- name: key
-- The same, read.
SELECT messages FROM message_keys WHERE lot = ? AND digest = ?

-- name: put_key
-- The same, new or changed.
INSERT INTO message_keys (lot, digest, messages) VALUES (?, ?, ?)
ON CONFLICT (lot, digest) DO UPDATE SET messages = excluded.messages

-- name: repeat
-- A message was sent once more.
UPDATE messages SET duplicates = duplicates + 1 WHERE id = ?

-- name: mapped
-- A kept message as it was mapped last.
SELECT n, digests, body FROM messages WHERE id = ? AND tenant = ?

-- name: remap
-- What became of a message when it was mapped again.
UPDATE messages SET state = ?, type = ?, event = ?, digests = ?, body = ? WHERE n = ?
