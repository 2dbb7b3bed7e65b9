-- Messages: as they were received, and what became of them.

-- name: message
-- A message by its id, whole.
SELECT n, id, received_at, duplicates, body, raw FROM messages WHERE id = ? AND tenant = ?

-- name: place
-- Where a message stands in the order of receipt.
SELECT n FROM messages WHERE id = ?

-- name: last
-- The newest row number.
SELECT coalesce(max(n), 0) FROM messages

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

-- name: same
-- The message that has this dedup key and this hash.
SELECT id, hash, received_at, body FROM messages WHERE dedup = ? AND hash = ?

-- name: other
-- Another message that has this dedup key, since a moment.
SELECT id, hash, received_at, body FROM messages WHERE dedup = ? AND hash <> ? AND received_at >= ? LIMIT 1

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
