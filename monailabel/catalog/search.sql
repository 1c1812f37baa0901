-- Every question and statement of the search index, each under its name, with a sentence that says what it does.

-- name: seen
-- Up to which event the index knows everything, and whether it was ever complete.
SELECT seq, chain, whole FROM seen;

-- name: set_seen
-- Note up to which event the index knows everything.
UPDATE seen SET seq = :seq, chain = :chain, whole = max(whole, :whole);

-- name: forget
-- Begin anew.
DELETE FROM entry; DELETE FROM told; DELETE FROM posting; UPDATE seen SET seq = 0, chain = zeroblob(32), whole = 0;

-- name: last_number
-- The highest number of an entry.
SELECT coalesce(max(number), -1) FROM entry;

-- name: known
-- Number, what is told, and the image's info of the entries of these places in the order of ids.
SELECT e.id, e.number, t.shown, t.info
FROM json_each(:places) s CROSS JOIN entry e INDEXED BY entry_id ON e.id = s.value JOIN told t ON t.number = e.number;

-- name: put_entry
-- Write an entry.
INSERT OR REPLACE INTO entry (number, id, time, added, size, state, words) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: put_told
-- Write what is told of an entry.
INSERT OR REPLACE INTO told (number, shown, info) VALUES (?, ?, ?);

-- name: drop_told
-- Remove what is told of an entry.
DELETE FROM told WHERE number = :number;

-- name: piece
-- One piece of a term's entries.
SELECT cases FROM posting WHERE term = ? AND piece = ?;

-- name: put_piece
-- Write a piece of a term's entries.
INSERT OR REPLACE INTO posting (term, piece, n, cases) VALUES (?, ?, ?, ?);

-- name: drop_piece
-- Remove a piece in which no entry is left.
DELETE FROM posting WHERE term = ? AND piece = ?;

-- name: pieces
-- All pieces of a term's entries.
SELECT piece, cases FROM posting WHERE term = :term ORDER BY piece;

-- name: counts
-- The terms of one kind that are true of most entries, and of how many each.
SELECT substr(term, length(:kind) + 1), sum(n) AS many FROM posting
WHERE term > :kind AND term < :beyond GROUP BY term ORDER BY many DESC, term LIMIT :limit;

-- name: holding
-- For each entry, by number, whether it holds a text: a text of 0 and 1.
SELECT group_concat(iif(instr(words, :text), '1', '0'), '') FROM entry NOT INDEXED;

-- name: after
-- The entries that follow a place in an order, among those that have a 1 in :meant.
SELECT number FROM entry WHERE ({column}, id) > (:key, :place) AND substr(:meant, number + 1, 1) = x'31'
ORDER BY {column}, id LIMIT :limit OFFSET :skip;

-- name: before
-- The entries that come before a place in an order, the nearest first, among those that have a 1 in :meant.
SELECT number FROM entry WHERE ({column}, id) < (:key, :place) AND substr(:meant, number + 1, 1) = x'31'
ORDER BY {column} DESC, id DESC LIMIT :limit OFFSET :skip;

-- name: after_among
-- The entries that follow a place in an order, among those given.
SELECT e.number FROM json_each(:numbers) s CROSS JOIN entry e ON e.number = s.value
WHERE (e.{column}, e.id) > (:key, :place) ORDER BY e.{column}, e.id LIMIT :limit OFFSET :skip;

-- name: before_among
-- The entries that come before a place in an order, the nearest first, among those given.
SELECT e.number FROM json_each(:numbers) s CROSS JOIN entry e ON e.number = s.value
WHERE (e.{column}, e.id) < (:key, :place) ORDER BY e.{column} DESC, e.id DESC LIMIT :limit OFFSET :skip;

-- name: number_at
-- The number of the entry at a place in the order of ids.
SELECT number FROM entry WHERE id = :place;

-- name: place_of
-- Where an entry stands in an order.
SELECT {column}, id FROM entry WHERE number = :number;

-- name: shown
-- What is told of the given entries, in their order.
SELECT t.shown FROM json_each(:numbers) s CROSS JOIN told t ON t.number = s.value;
