-- The catalog of one datastore: what it holds, every version of it, every event, and the changes still under way.
-- All paths are relative, so that the folder can be moved. The version of this schema is SQLite's user_version.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,   -- name, description, images_dir, labels_dir, identity
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One image (tag '') or one label. Rows stay when their files go: info waits for the file, versions can be restored.
CREATE TABLE item (
    id       INTEGER PRIMARY KEY,
    image_id TEXT    NOT NULL,
    tag      TEXT    NOT NULL,
    ext      TEXT    NOT NULL,            -- the visible file is image_id || ext
    info     TEXT    NOT NULL,            -- JSON in ASCII
    state    INTEGER NOT NULL,            -- 0 present, 1 missing, 2 removed
    listed   INTEGER NOT NULL,            -- present, and its image too
    final    INTEGER NOT NULL DEFAULT 0,  -- of an image: it has a listed label 'final'
    handed   INTEGER NOT NULL DEFAULT 0,  -- of an image: when a strategy last handed it out, in seconds
    version  INTEGER NOT NULL,            -- the newest
    inode    INTEGER,                     -- of the visible file, as a listing of its folder tells it
    born     INTEGER NOT NULL,            -- the event that brought it: the order of listing
    seq      INTEGER NOT NULL,            -- the event that last touched it
    mark     INTEGER                      -- the change of its file that may be still under way
) STRICT;
CREATE UNIQUE INDEX item_name ON item (image_id, tag);
CREATE INDEX item_inode ON item (inode);
CREATE INDEX item_listing ON item (tag, listed, born, image_id);
CREATE INDEX item_unlabelled ON item (born, image_id) WHERE tag = '' AND listed = 1 AND final = 0;
CREATE INDEX item_waiting ON item (handed, born, image_id) WHERE tag = '' AND listed = 1 AND final = 0;

CREATE TABLE version (
    item     INTEGER NOT NULL REFERENCES item (id),
    number   INTEGER NOT NULL,
    ext      TEXT    NOT NULL,
    sha256   TEXT,                        -- unknown until the bytes were read
    size     INTEGER,                     -- bytes
    mtime_ns INTEGER,
    made_for INTEGER,                     -- of a label: the version of the image
    kept     TEXT,                        -- NULL while it is the visible one; then the name in the history, '' if not kept
    link     TEXT,                        -- where the file was a link: its target
    seq      INTEGER NOT NULL,            -- the event that made it
    PRIMARY KEY (item, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_unread ON version (seq) WHERE sha256 IS NULL AND kept IS NULL AND link IS NULL;
CREATE INDEX version_link ON version (item, number) WHERE link IS NOT NULL;

-- What happened, in the order of commit, without a gap; each row's chain covers the row and the chain before it.
CREATE TABLE event (
    seq           INTEGER PRIMARY KEY,
    time          INTEGER NOT NULL,       -- milliseconds since 1970, UTC
    actor         TEXT    NOT NULL,
    authenticated INTEGER NOT NULL,
    action        TEXT    NOT NULL,
    image_id      TEXT    NOT NULL,       -- '' where the event is about the datastore itself
    tag           TEXT    NOT NULL,
    version       INTEGER,
    before        TEXT,                   -- SHA-256
    after         TEXT,
    content       TEXT,                   -- JSON: ext, old and new info; erased where the law asks
    salt          BLOB    NOT NULL,
    digest        BLOB    NOT NULL,       -- of salt and content, so that the chain closes without the content
    chain         BLOB    NOT NULL
) STRICT;
CREATE INDEX event_of_item ON event (image_id, tag, seq);

-- A change that is committed and whose files may not be in their places yet.
CREATE TABLE mark (
    id          INTEGER PRIMARY KEY,      -- the number of the change's event
    item        INTEGER NOT NULL REFERENCES item (id),
    tag         TEXT    NOT NULL,         -- '' : in the folder of the images, else of the labels
    staged      TEXT,                     -- the file that waits; NULL for a removal
    inode       INTEGER,                  -- by which the waiting file is known from one that came out in its stead,
    sha256      TEXT,                     -- and where the folder was copied, so that inodes changed, by this
    name        TEXT    NOT NULL,         -- the visible name it goes to, or that goes; '' : it goes to the history unseen
    out_name    TEXT,                     -- the visible name that must go
    out_token   TEXT,                     -- under which that is kept
    out_version INTEGER                   -- which version we take it for
) STRICT;

-- Kept bytes that nobody may have any more: their rows are gone, and their files go next.
CREATE TABLE doomed (
    token  TEXT    PRIMARY KEY,
    tag    TEXT    NOT NULL,              -- '' : in the history of the images, else of the labels
    sha256 TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- How many images (tag '') and labels of each tag are listed.
CREATE TABLE tally (
    tag TEXT PRIMARY KEY,
    n   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When each folder was last read, as its time stamp said before.
CREATE TABLE folder (
    path     TEXT PRIMARY KEY,
    mtime_ns INTEGER NOT NULL,
    inode    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a scan could not take in, for people to look at.
CREATE TABLE problem (
    path   TEXT PRIMARY KEY,
    what   TEXT NOT NULL,
    orphan INTEGER NOT NULL               -- a label whose image is not there: looked at again when images come
) STRICT, WITHOUT ROWID;

CREATE TRIGGER item_comes AFTER INSERT ON item WHEN new.listed = 1 BEGIN
    INSERT INTO tally (tag, n) VALUES (new.tag, 1) ON CONFLICT (tag) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER item_turns AFTER UPDATE OF listed ON item WHEN old.listed <> new.listed BEGIN
    INSERT INTO tally (tag, n) VALUES (new.tag, new.listed - old.listed)
        ON CONFLICT (tag) DO UPDATE SET n = n + excluded.n;
END;
CREATE TRIGGER final_comes AFTER INSERT ON item WHEN new.listed = 1 AND new.tag = 'final' BEGIN
    UPDATE item SET final = 1 WHERE image_id = new.image_id AND tag = '';
END;
CREATE TRIGGER final_turns AFTER UPDATE OF listed ON item WHEN old.listed <> new.listed AND new.tag = 'final' BEGIN
    UPDATE item SET final = new.listed WHERE image_id = new.image_id AND tag = '';
END;
