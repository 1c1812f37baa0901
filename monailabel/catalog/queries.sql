-- Every question and statement of the catalog, each under its name, with a sentence that says what it does.

-- name: settings
-- All settings.
SELECT name, value FROM setting;

-- name: fill
-- Fill pages, in a change that is taken back.
WITH RECURSIVE filler (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM filler WHERE number < :rows)
INSERT INTO setting (name, value) SELECT 'filler ' || number, hex(zeroblob(32768)) FROM filler;

-- name: set_setting
-- Write one setting.
INSERT INTO setting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: item
-- One item, with what is known of the bytes of its newest version.
-- The row is looked up by itself: beside a join SQLite weighs the partial indexes against the values that are bound, and
-- prepares the statement anew for each.
SELECT i.id, i.image_id, i.tag, i.ext, i.info, i.state, i.listed, i.version, i.inode, i.seq, i.mark,
       v.sha256, v.size, v.mtime_ns, v.link
FROM item i JOIN version v ON v.item = i.id AND v.number = i.version
WHERE i.id = (SELECT id FROM item WHERE image_id = :image_id AND tag = :tag);

-- name: listed_info
-- The info and extension of a listed item, the change of its file that may be under way, and whether the file is a link.
SELECT info, ext, mark, EXISTS (
    SELECT 1 FROM version v INDEXED BY version_link
    WHERE v.item = item.id AND v.number = item.version AND v.link IS NOT NULL)
FROM item WHERE image_id = :image_id AND tag = :tag AND listed = 1;

-- name: items_of
-- An image's listed items: its labels in the order of their creation, itself under the tag ''.
SELECT tag, ext FROM item WHERE image_id = :image_id AND listed = 1 ORDER BY born;

-- name: rows_of
-- All items of an image, removed and missing ones too.
SELECT tag, state FROM item WHERE image_id = :image_id ORDER BY born;

-- name: image_ids
-- The ids of all listed images as one JSON array, in the order of listing.
SELECT json_group_array(image_id ORDER BY born) FROM item WHERE tag = '' AND listed = 1;

-- name: page_of_images
-- The ids of up to :limit listed images after the one given, in the order of listing.
SELECT image_id FROM item
WHERE tag = '' AND listed = 1
  AND born > coalesce((SELECT born FROM item WHERE image_id = :after AND tag = ''), 0)
ORDER BY born LIMIT :limit;

-- name: labelled
-- The ids of the images that have a listed label of a tag (with one of these structures), in the order of the images.
SELECT json_group_array(i.image_id ORDER BY i.born)
FROM item i JOIN item l INDEXED BY item_name ON l.image_id = i.image_id AND l.tag = :tag AND l.listed = 1
WHERE i.tag = '' AND i.listed = 1
  AND (:structures IS NULL OR EXISTS (
        SELECT 1 FROM json_each(l.info, '$.label_info') s
        WHERE s.type = 'object' AND s.value ->> '$.name' IN (SELECT value FROM json_each(:structures))));

-- name: unlabelled
-- The ids of all other listed images.
SELECT json_group_array(i.image_id ORDER BY i.born)
FROM item i LEFT JOIN item l INDEXED BY item_name ON l.image_id = i.image_id AND l.tag = :tag AND l.listed = 1
WHERE i.tag = '' AND i.listed = 1
  AND (l.id IS NULL OR :structures IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM json_each(l.info, '$.label_info') s
        WHERE s.type = 'object' AND s.value ->> '$.name' IN (SELECT value FROM json_each(:structures))));

-- name: first_unlabelled
-- The listed image without a final label that stands first.
SELECT image_id, handed FROM item INDEXED BY item_unlabelled
WHERE tag = '' AND listed = 1 AND final = 0 ORDER BY born LIMIT 1;

-- name: least_handed
-- When the image that waits longest was handed out, and the first and last place of those that wait as long.
WITH least (handed) AS (
    SELECT handed FROM item INDEXED BY item_waiting
    WHERE tag = '' AND listed = 1 AND final = 0 ORDER BY handed LIMIT 1)
SELECT handed,
    (SELECT born FROM item INDEXED BY item_waiting
     WHERE tag = '' AND listed = 1 AND final = 0 AND handed = least.handed ORDER BY born LIMIT 1),
    (SELECT born FROM item INDEXED BY item_waiting
     WHERE tag = '' AND listed = 1 AND final = 0 AND handed = least.handed ORDER BY born DESC LIMIT 1)
FROM least;

-- name: waiting_from
-- The first image from a place on that was handed out at that time and has no final label.
SELECT image_id, handed FROM item INDEXED BY item_waiting
WHERE tag = '' AND listed = 1 AND final = 0 AND handed = :handed AND born >= :born
ORDER BY born LIMIT 1;

-- name: waiting
-- Those of the listed images without a final label that were handed out longest ago.
SELECT image_id, handed FROM item INDEXED BY item_waiting
WHERE tag = '' AND listed = 1 AND final = 0 ORDER BY handed, born LIMIT :limit;

-- name: handed
-- When each of the given images was last handed out.
SELECT i.image_id, i.handed FROM json_each(:ids) s JOIN item i INDEXED BY item_name ON i.image_id = s.value AND i.tag = '';

-- name: tallies
-- How many images and labels of each tag are listed.
SELECT tag, n FROM tally WHERE n > 0;

-- name: pairs
-- Id, image extension and label extension of every image with a listed label of a tag, a change of either that may be
-- under way, and whether the image's and the label's file is a link.
SELECT i.image_id, i.ext, l.ext, coalesce(i.mark, l.mark),
    EXISTS (SELECT 1 FROM version v INDEXED BY version_link
        WHERE v.item = i.id AND v.number = i.version AND v.link IS NOT NULL),
    EXISTS (SELECT 1 FROM version v INDEXED BY version_link
        WHERE v.item = l.id AND v.number = l.version AND v.link IS NOT NULL)
FROM item i JOIN item l INDEXED BY item_name ON l.image_id = i.image_id AND l.tag = :tag AND l.listed = 1
WHERE i.tag = '' AND i.listed = 1 ORDER BY i.born;

-- name: objects
-- A page of the images with their labels as datastore_v2.json has them, without the braces, after their number and
-- last place. The infos are JSON already, and joining texts takes half the time of making JSON anew.
SELECT count(*), max(born), group_concat(text, ',') FROM (
    SELECT i.born AS born,
        json_quote(i.image_id) || ':{"image":{"ext":' || json_quote(i.ext) || ',"info":' || i.info || '},"labels":{' ||
        coalesce((
            SELECT group_concat(text, ',') FROM (
                SELECT json_quote(l.tag) || ':{"ext":' || json_quote(l.ext) || ',"info":' || l.info || '}' AS text
                FROM item l INDEXED BY item_name WHERE l.image_id = i.image_id AND l.tag > '' AND l.listed = 1
                ORDER BY l.born)), '') || '}}' AS text
    FROM item i INDEXED BY item_listing WHERE i.tag = '' AND i.listed = 1 AND i.born > :after AND i.born <= :upto
    ORDER BY i.born LIMIT :limit);

-- name: objects_of
-- The same of the images given, in their order.
SELECT group_concat(text, ',' ORDER BY place) FROM (
    SELECT s.key AS place,
        json_quote(i.image_id) || ':{"image":{"ext":' || json_quote(i.ext) || ',"info":' || i.info || '},"labels":{' ||
        coalesce((
            SELECT group_concat(text, ',') FROM (
                SELECT json_quote(l.tag) || ':{"ext":' || json_quote(l.ext) || ',"info":' || l.info || '}' AS text
                FROM item l INDEXED BY item_name WHERE l.image_id = i.image_id AND l.tag > '' AND l.listed = 1
                ORDER BY l.born)), '') || '}}' AS text
    FROM json_each(:ids) s JOIN item i INDEXED BY item_name ON i.image_id = s.value AND i.tag = ''
    WHERE i.listed = 1);

-- name: tells_what_it_touched
-- Whether the events after a number are few, and each tells which image it is about, or that a setting was set.
SELECT coalesce(max(seq), 0) <= :after + :few
   AND NOT EXISTS (SELECT 1 FROM event WHERE seq > :after AND image_id = '' AND action <> 'set')
FROM event;

-- name: touched_places
-- The places of the images that events after a number tell of, and whether each may have been in another one before.
SELECT i.born, i.born > :after AND (SELECT min(seq) FROM version WHERE item = i.id) <= :after
FROM (SELECT DISTINCT image_id FROM event WHERE seq > :after) e
JOIN item i INDEXED BY item_name ON i.image_id = e.image_id AND i.tag = '';

-- name: pretty
-- A document with the indent of two that datastore_v2.json has.
SELECT json_pretty(:document, '  ');

-- name: has_files
-- Whether there are files of a tag that are in their places or missing.
SELECT EXISTS (SELECT 1 FROM item WHERE tag = :tag AND state < 2);

-- name: count_present
-- How many files of a tag are in their places; those that are listed are counted already.
SELECT coalesce((SELECT n FROM tally WHERE tag = :tag), 0)
     + (SELECT count(*) FROM item INDEXED BY item_listing WHERE tag = :tag AND listed = 0 AND state = 0);

-- name: has_missing
-- Whether a file of a tag is missing.
SELECT EXISTS (SELECT 1 FROM item INDEXED BY item_listing WHERE tag = :tag AND listed = 0 AND state = 1);

-- name: files
-- Row, id, name and state of the files that are in their places or missing: what a scan compares a folder with.
SELECT id, image_id, image_id || ext, state FROM item WHERE tag = :tag AND state < 2;

-- name: files_by_inode
-- Which rows the files with these inodes have: place in the list, row and name.
SELECT s.key, i.id, i.image_id || i.ext FROM json_each(:inodes) s JOIN item i INDEXED BY item_inode ON i.inode = s.value
WHERE i.tag = :tag AND i.state = 0;

-- name: tags
-- Every tag that a label ever had.
WITH RECURSIVE following (tag) AS (  -- one step through the index for each tag
    SELECT min(tag) FROM item WHERE tag > ''
    UNION ALL
    SELECT (SELECT min(tag) FROM item WHERE tag > following.tag) FROM following WHERE following.tag IS NOT NULL)
SELECT tag FROM following WHERE tag IS NOT NULL;

-- name: places
-- A page of where images and labels have to lie that were not removed, in no order that matters.
SELECT i.id, i.image_id, i.tag, i.ext, i.state, v.size, v.sha256
FROM item i JOIN version v ON v.item = i.id AND v.number = i.version
WHERE i.id > :after AND i.state <> 2 ORDER BY i.id LIMIT :limit;

-- name: put_item
-- Write an item's newest state, :last where it goes to the end of the listing.
INSERT INTO item (image_id, tag, ext, info, state, listed, handed, version, inode, born, seq, mark)
VALUES (:image_id, :tag, :ext, :info, :state, :listed, :handed, :version, :inode, :seq, :seq, :mark)
ON CONFLICT (image_id, tag) DO UPDATE SET
    ext = excluded.ext, info = excluded.info, state = excluded.state, listed = excluded.listed,
    handed = excluded.handed, version = excluded.version, inode = excluded.inode, seq = excluded.seq,
    mark = coalesce(excluded.mark, item.mark), born = iif(:last, excluded.born, item.born)
RETURNING id;

-- name: known
-- Which of the given ids have a row of a tag, with its extension and state, whether it is listed, and its version.
SELECT i.image_id, i.ext, i.state, i.listed, i.version
FROM json_each(:ids) s JOIN item i INDEXED BY item_name ON i.image_id = s.value AND i.tag = :tag;

-- name: last_item
-- The number of the row that was added last.
SELECT coalesce(max(id), 0) FROM item;

-- name: put_new_item
-- Add an item that has no row yet.
INSERT INTO item (id, image_id, tag, ext, info, state, listed, version, inode, born, seq)
VALUES (?, ?, ?, ?, ?, 0, ?, 1, ?, ?, ?);

-- name: put_first_version
-- Add the first version of an item, whose bytes nobody read yet.
INSERT INTO version (item, number, ext, size, mtime_ns, made_for, link, seq) VALUES (?, 1, ?, ?, ?, ?, ?, ?);

-- name: count
-- Count listed images or labels that came.
INSERT INTO tally (tag, n) VALUES (:tag, :n) ON CONFLICT (tag) DO UPDATE SET n = n + excluded.n;

-- name: note_final
-- Note that these images have a listed final label.
UPDATE item SET final = 1 WHERE tag = '' AND image_id IN (SELECT value FROM json_each(:ids));

-- name: list_labels
-- List an image's present labels, or none of its labels.
UPDATE item SET listed = (state = 0 AND :listed) WHERE image_id = :image_id AND tag <> '';

-- name: set_info
-- Write an item's info.
UPDATE item SET info = :info, seq = :seq WHERE id = :id;

-- name: set_info_handed
-- Write an item's info, and when it was handed out.
UPDATE item SET info = :info, handed = :handed, seq = :seq WHERE id = :id;

-- name: set_time
-- Note that a file has the bytes of a version though its time is another one.
UPDATE version SET mtime_ns = :mtime_ns WHERE item = :item AND number = :number;

-- name: set_inode
-- Note that a file is the same though its folder entry is new.
UPDATE item SET inode = :inode WHERE id = :id;

-- name: put_version
-- Add a version.
INSERT INTO version (item, number, ext, sha256, size, mtime_ns, made_for, kept, link, seq)
VALUES (:item, :number, :ext, :sha256, :size, :mtime_ns, :made_for, :kept, :link, :seq);

-- name: next_version
-- The number of an item's next version.
SELECT coalesce(max(number), 0) + 1 FROM version
WHERE item = (SELECT id FROM item WHERE image_id = :image_id AND tag = :tag);

-- name: version
-- One version of an item.
SELECT number, ext, sha256, size, mtime_ns, made_for, kept, link, seq FROM version
WHERE item = :item AND number = :number;

-- name: versions
-- All versions of an item, with the event that made each.
SELECT v.number, v.ext, v.sha256, v.size, v.mtime_ns, v.made_for, v.kept, v.link, v.seq,
       e.time, e.actor, e.authenticated, e.action
FROM version v JOIN event e ON e.seq = v.seq
WHERE v.item = (SELECT id FROM item WHERE image_id = :image_id AND tag = :tag) ORDER BY v.number;

-- name: keep_version
-- Note where the bytes of a version lie now, and what they were when they came out.
UPDATE version SET kept = :kept, sha256 = coalesce(:sha256, sha256), size = coalesce(:size, size)
WHERE item = :item AND number = :number;

-- name: kept_versions
-- The versions that the history keeps, and when each was replaced or removed; of each item the newest first.
SELECT i.id, i.image_id, i.tag, v.number, v.kept, v.sha256, v.size, made.time,
       (SELECT time FROM event WHERE seq = coalesce(
           iif(v.number = i.version AND i.state = 2, i.seq, NULL),
           (SELECT n.seq FROM version n JOIN event e ON e.seq = n.seq
            WHERE n.item = v.item AND n.number > v.number AND e.action <> 'refused' ORDER BY n.number LIMIT 1),
           v.seq))
FROM version v JOIN item i ON i.id = v.item JOIN event made ON made.seq = v.seq
WHERE v.kept <> '' AND (:image_id IS NULL OR i.image_id = :image_id) AND (:tag IS NULL OR i.tag = :tag)
ORDER BY v.item, v.number DESC;

-- name: kept_total
-- How many versions the history keeps, and their bytes.
SELECT count(*), coalesce(sum(size), 0) FROM version WHERE kept <> '';

-- name: doom
-- Note kept bytes that are to be removed.
INSERT INTO doomed (token, tag, sha256) VALUES (:token, :tag, :sha256) ON CONFLICT (token) DO NOTHING;

-- name: doom_image
-- Note all kept bytes of an image and its labels as to be removed.
INSERT INTO doomed (token, tag, sha256)
SELECT v.kept, i.tag, coalesce(v.sha256, 'link') FROM item i JOIN version v ON v.item = i.id
WHERE i.image_id = :image_id AND v.kept <> '' ON CONFLICT (token) DO NOTHING;

-- name: doomed
-- The kept bytes that are to be removed.
SELECT token, tag, sha256 FROM doomed;

-- name: undoom
-- They are removed.
DELETE FROM doomed WHERE token IN (SELECT value FROM json_each(:tokens));

-- name: erase_events
-- Erase the content of an image's events; the chain holds its salted digest and closes without.
UPDATE event SET content = NULL, salt = x'' WHERE image_id = :image_id;

-- name: erase_items
-- Erase the infos of an image and its labels.
UPDATE item SET info = '{}', handed = 0, seq = :seq WHERE image_id = :image_id;

-- name: erase_versions
-- Forget where the bytes of an image's and its labels' versions lay.
UPDATE version SET kept = '', link = NULL WHERE item IN (SELECT id FROM item WHERE image_id = :image_id);

-- name: read_version
-- Note the checksum of a version whose bytes were read.
UPDATE version SET sha256 = :sha256 WHERE item = :item AND number = :number AND sha256 IS NULL;

-- name: unread
-- Files whose bytes nobody read yet, those that will be handed out next first.
SELECT i.image_id, i.tag FROM version v JOIN item i ON i.id = v.item AND i.version = v.number
WHERE v.sha256 IS NULL AND v.kept IS NULL AND v.link IS NULL AND i.listed = 1 AND i.mark IS NULL
ORDER BY i.tag <> '' OR i.final, i.handed, i.born LIMIT :limit;

-- name: any_unread
-- Whether there may be files whose bytes nobody read yet.
SELECT EXISTS (SELECT 1 FROM version WHERE sha256 IS NULL AND kept IS NULL AND link IS NULL);

-- name: put_mark
-- Note a change whose files will be put in their places next.
INSERT INTO mark (id, item, tag, staged, inode, sha256, name, out_name, out_token, out_version)
VALUES (:id, :item, :tag, :staged, :inode, :sha256, :name, :out_name, :out_token, :out_version);

-- name: marks
-- The changes whose files may not be in their places yet.
SELECT id, item, tag, staged, inode, sha256, name, out_name, out_token, out_version FROM mark ORDER BY id;

-- name: mark
-- One of them.
SELECT id, item, tag, staged, inode, sha256, name, out_name, out_token, out_version FROM mark WHERE id = :id;

-- name: drop_mark
-- A change is finished.
DELETE FROM mark WHERE id = :id;

-- name: free_item
-- A change of an item is finished.
UPDATE item SET mark = NULL WHERE id = :item AND mark = :id;

-- name: namesake
-- The present item of another id whose visible file has the same name; :starts are all beginnings of that name.
SELECT i.image_id FROM json_each(:starts) s JOIN item i INDEXED BY item_name ON i.image_id = s.value
WHERE i.tag = :tag AND i.state = 0 AND i.image_id || i.ext = :name AND i.image_id <> :image_id LIMIT 1;

-- name: item_by_rowid
-- Which image and tag an item is.
SELECT image_id, tag, version FROM item WHERE id = :id;

-- name: opening
-- What a change begins with: number and chain of the newest event, how many marks stand, and the newest one's number.
SELECT e.seq, e.chain, m.count, m.newest
FROM (SELECT (SELECT count(*) FROM mark) AS count, (SELECT max(id) FROM mark) AS newest) m
LEFT JOIN (SELECT seq, chain FROM event ORDER BY seq DESC LIMIT 1) e;

-- name: found_since
-- The number of the newest event, and whether one since :seq is another than that a file was found.
SELECT coalesce(max(seq), :seq), EXISTS (SELECT 1 FROM event WHERE seq > :seq AND action <> 'found') FROM event;

-- name: last_event
-- Number and chain of the newest event.
SELECT seq, chain FROM event ORDER BY seq DESC LIMIT 1;

-- name: last_event_at
-- The number of the newest event up to a time.
SELECT coalesce(max(seq), 0) FROM event WHERE time <= :time;

-- name: touched
-- Of which images events tell in a stretch of events, but for those that were touched again later.
SELECT DISTINCT e.image_id FROM event e
WHERE e.seq > :after AND e.seq <= :upto AND e.image_id <> ''
  AND NOT EXISTS (SELECT 1 FROM item i INDEXED BY item_name WHERE i.image_id = e.image_id AND i.seq > :upto);

-- name: case_rows
-- The rows of the given images and their labels, one image after the other: what the search index is made of.
SELECT i.image_id, i.tag, i.ext, i.info, i.version, i.listed, i.born,
    coalesce((SELECT time FROM event WHERE seq = i.seq), 0),
    iif(i.tag = '', coalesce((SELECT time FROM event WHERE seq = i.born), 0), 0),
    iif(i.tag = '', (SELECT size FROM version WHERE item = i.id AND number = i.version), NULL),
    iif(i.tag = 'final', (SELECT e.actor FROM version v JOIN event e ON e.seq = v.seq
                          WHERE v.item = i.id AND v.number = i.version), NULL)
FROM json_each(:ids) s CROSS JOIN item i INDEXED BY item_name ON i.image_id = s.value;

-- name: chain
-- The chain up to an event.
SELECT chain FROM event WHERE seq = :seq;

-- name: put_event
-- Append an event.
INSERT INTO event (seq, time, actor, authenticated, action, image_id, tag, version, before, after,
                   content, salt, digest, chain)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: events
-- Events after a number, in order.
SELECT seq, time, actor, authenticated, action, image_id, tag, version, before, after, content
FROM event WHERE seq > :after ORDER BY seq LIMIT :limit;

-- name: events_of
-- An image's events after a number, in order.
SELECT seq, time, actor, authenticated, action, image_id, tag, version, before, after, content
FROM event INDEXED BY event_of_item WHERE image_id = :image_id AND seq > :after ORDER BY seq LIMIT :limit;

-- name: said
-- What the events of an item said, in order.
SELECT content FROM event INDEXED BY event_of_item WHERE image_id = :image_id AND tag = :tag ORDER BY seq;

-- name: last_info
-- The last info that a version of an item had.
SELECT content FROM event
WHERE image_id = :image_id AND tag = :tag AND version = :version AND content IS NOT NULL ORDER BY seq DESC LIMIT 1;

-- name: was_pruned
-- Whether an event tells that a version's bytes were pruned.
SELECT EXISTS (SELECT 1 FROM event INDEXED BY event_of_item
    WHERE image_id = :image_id AND tag = :tag AND version = :version AND action = 'pruned');

-- name: folders
-- When each folder was last read.
SELECT path, mtime_ns, inode FROM folder;

-- name: put_folder
-- Note when a folder was read.
INSERT INTO folder (path, mtime_ns, inode) VALUES (:path, :mtime_ns, :inode)
ON CONFLICT (path) DO UPDATE SET mtime_ns = excluded.mtime_ns, inode = excluded.inode;

-- name: drop_folder
-- Forget a folder that is there no longer.
DELETE FROM folder WHERE path = :path;

-- name: missing
-- The files that are gone without our doing, and whose info waits for them.
SELECT image_id, tag, ext FROM item WHERE state = 1 ORDER BY born;

-- name: problems
-- What scans could not take in.
SELECT path, what FROM problem ORDER BY path;

-- name: put_problem
-- Note what a scan could not take in.
INSERT INTO problem (path, what, orphan) VALUES (:path, :what, :orphan)
ON CONFLICT (path) DO UPDATE SET what = excluded.what, orphan = excluded.orphan;

-- name: drop_problems
-- Forget the problems of a folder that is read anew, and of those in it.
DELETE FROM problem WHERE substr(path, 1, length(:folder) + 1) = :folder || '/';

-- name: reread_orphans
-- Have the tags' folders (`labels/<tag>`, before the next `/`) read again in which labels wait for an image.
UPDATE folder SET mtime_ns = 0, inode = 0 WHERE path IN (
    SELECT substr(path, 1, 7 + instr(substr(path, 8), '/') - 1) FROM problem WHERE orphan = 1);

-- name: with_tilde
-- An image, present or to be restored, whose id has another meaning where files lie in sub-folders.
SELECT image_id FROM item WHERE tag = '' AND instr(image_id, '~')
    AND (state < 2 OR EXISTS (SELECT 1 FROM version WHERE version.item = item.id AND version.kept IS NOT '')) LIMIT 1;
