-- Every question that a check asks of the catalog's rows, under its name: none of them finds anything in a sound one.

-- name: last_row
-- The number of the last item.
SELECT coalesce(max(id), 0) FROM item;

-- name: doubtful_items
-- Items that are not plainly what the event says that touched them last.
SELECT i.image_id, i.tag FROM item i
LEFT JOIN version v ON v.item = i.id AND v.number = i.version
LEFT JOIN event e ON e.seq = i.seq AND e.image_id = i.image_id AND e.tag = i.tag
WHERE i.id BETWEEN :low AND :high AND NOT coalesce(
    v.number IS NOT NULL AND e.version = i.version
    AND CASE i.state
        WHEN 0 THEN e.action IN ('added', 'replaced', 'restored', 'found', 'changed', 'back', 'updated')
        WHEN 2 THEN e.action = 'removed' END
    AND coalesce(e.content ->> '$.ext', i.ext) = i.ext
    AND json_extract(e.content, iif(i.state = 2, '$.old', '$.new')) = i.info
    AND coalesce(e.after, v.sha256, '') = coalesce(v.sha256, '')
    AND NOT EXISTS (
        SELECT 1 FROM event l INDEXED BY event_of_item
        WHERE l.image_id = i.image_id AND l.tag = i.tag AND l.seq > i.seq), 0);

-- name: doubtful_versions
-- Versions that are not what the event says that made them.
SELECT i.image_id, i.tag, v.number FROM version v JOIN item i ON i.id = v.item LEFT JOIN event e ON e.seq = v.seq
WHERE v.item BETWEEN :low AND :high AND NOT coalesce(
    e.image_id = i.image_id AND e.tag = i.tag AND e.version = v.number
    AND coalesce(e.content ->> '$.ext', v.ext) = v.ext
    AND coalesce(e.after, v.sha256, '') = coalesce(v.sha256, ''), 0);

-- name: wrong_flags
-- Items whose flags are not what other rows say: listed, final, and the change under way.
SELECT i.image_id, i.tag FROM item i
LEFT JOIN item p INDEXED BY item_name ON i.tag <> '' AND p.image_id = i.image_id AND p.tag = ''
LEFT JOIN item f INDEXED BY item_name ON i.tag = '' AND f.image_id = i.image_id AND f.tag = 'final'
WHERE i.id BETWEEN :low AND :high AND (
    i.listed <> (i.state = 0 AND (i.tag = '' OR coalesce(p.state, 2) = 0))
    OR i.final <> coalesce(f.listed, 0)
    OR i.mark IS NOT NULL AND NOT EXISTS (SELECT 1 FROM mark WHERE mark.id = i.mark));

-- name: handed
-- Items with when they were handed out, and the info that tells it too.
SELECT image_id, tag, handed, info FROM item
WHERE id BETWEEN :low AND :high AND (handed <> 0 OR instr(info, '"strategy"'));

-- name: lost_items
-- Images and labels that events speak of and that have no row.
SELECT image_id, tag, max(seq) FROM event e INDEXED BY event_of_item
WHERE image_id <> '' AND action NOT IN ('purged', 'pruned')
  AND NOT EXISTS (SELECT 1 FROM item i WHERE i.image_id = e.image_id AND i.tag = e.tag)
GROUP BY image_id, tag;

-- name: lost_references
-- Rows that belong to a row that is not there.
PRAGMA foreign_key_check;

-- name: wrong_tallies
-- Tags of which another number is listed than was counted.
SELECT tag, sum(listed), sum(counted) FROM (
    SELECT tag, n AS counted, 0 AS listed FROM tally
    UNION ALL SELECT tag, 0, count(*) FROM item INDEXED BY item_listing WHERE listed = 1 GROUP BY tag)
GROUP BY tag HAVING sum(listed) <> sum(counted);

-- name: set_flags
-- Write the flags as other rows say them.
UPDATE item SET
    mark = (SELECT id FROM mark WHERE mark.id = item.mark),
    listed = state = 0 AND (tag = '' OR EXISTS (
        SELECT 1 FROM item p WHERE p.image_id = item.image_id AND p.tag = '' AND p.state = 0));

-- name: set_final
-- Write of each image whether it has a final label.
UPDATE item SET final = EXISTS (
    SELECT 1 FROM item f WHERE f.image_id = item.image_id AND f.tag = 'final' AND f.listed = 1) WHERE tag = '';

-- name: drop_tallies
-- Forget what was counted.
DELETE FROM tally;

-- name: set_tallies
-- Count what is listed.
INSERT INTO tally (tag, n) SELECT tag, count(*) FROM item WHERE listed = 1 GROUP BY tag;

-- name: kept
-- The versions whose bytes the history is to keep.
SELECT i.image_id, i.tag, v.number, v.kept, v.sha256, v.size FROM version v JOIN item i ON i.id = v.item
WHERE v.item BETWEEN :low AND :high AND v.kept <> '';

-- name: tokens
-- Every token under which something is kept, waits, or is to be removed.
SELECT kept FROM version WHERE kept <> ''
UNION ALL SELECT staged FROM mark WHERE staged IS NOT NULL
UNION ALL SELECT out_token FROM mark WHERE out_token IS NOT NULL
UNION ALL SELECT token FROM doomed;

-- name: unkept
-- Versions of these bytes that are not the visible ones and were not erased, and where they are kept, if they are.
SELECT v.item, v.number, i.image_id, i.tag, v.kept
FROM version v JOIN item i ON i.id = v.item LEFT JOIN event e ON e.seq = v.seq
WHERE v.sha256 = :sha256 AND v.kept IS NOT NULL AND e.salt IS NOT x'' ORDER BY v.item, v.number;

-- name: gaps
-- Numbers between those of the events.
SELECT before + 1, seq - 1 FROM (SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before FROM event)
WHERE seq > before + 1;

-- name: drop_setting
-- Forget a setting.
DELETE FROM setting WHERE name = :name;

-- name: tell_item
-- Write an item as its events tell it.
INSERT INTO item (image_id, tag, ext, info, state, listed, handed, version, inode, born, seq)
VALUES (:image_id, :tag, :ext, :info, :state, 0, :handed, :version, :inode, :born, :seq)
ON CONFLICT (image_id, tag) DO UPDATE SET
    ext = excluded.ext, info = excluded.info, state = excluded.state, handed = excluded.handed,
    version = excluded.version, inode = excluded.inode, seq = excluded.seq, mark = NULL
RETURNING id;

-- name: tell_version
-- Write a version as its event tells it; what is known of where its bytes lie stays.
INSERT INTO version (item, number, ext, sha256, size, mtime_ns, kept, seq)
VALUES (:item, :number, :ext, :sha256, :size, :mtime_ns, :kept, :seq)
ON CONFLICT (item, number) DO UPDATE SET
    ext = coalesce(:told_ext, version.ext), seq = excluded.seq,
    kept = coalesce(version.kept, excluded.kept), size = coalesce(excluded.size, version.size),
    mtime_ns = coalesce(excluded.mtime_ns, version.mtime_ns), sha256 = coalesce(excluded.sha256, version.sha256);

-- name: happened
-- An event of a kind after a number.
SELECT seq FROM event WHERE seq > :after AND action = :action LIMIT 1;

-- name: told
-- What the events of a kind tell.
SELECT content FROM event WHERE action = :action AND content IS NOT NULL ORDER BY seq;
