-- The search index: all that can be asked of cases, worked out from the catalog and never the only copy of anything.
-- The version of this schema is SQLite's user_version; an index of another one is thrown away.

-- Up to which event of the catalog the index knows everything; the chain tells a catalog from an earlier copy of it.
CREATE TABLE seen (
    seq   INTEGER NOT NULL,
    chain BLOB    NOT NULL,
    whole INTEGER NOT NULL               -- 0 while the index is made for the first time
) STRICT;
INSERT INTO seen (seq, chain, whole) VALUES (0, zeroblob(32), 0);

-- One listed image with its labels, by its number in the sets of `posting`. Numbers have no gaps: of an image that is
-- gone an empty row stays, which no set holds.
CREATE TABLE entry (
    number INTEGER PRIMARY KEY,
    id     TEXT    NOT NULL,             -- the order of ids as people sort them, ending with the id: unique
    time   INTEGER NOT NULL,             -- of its last change, in milliseconds since 1970
    added  INTEGER NOT NULL,
    size   INTEGER NOT NULL,             -- of the image in bytes, -1 where nobody knows
    state  INTEGER NOT NULL,             -- 0 unlabelled, 1 labelled, 2 flagged, 3 approved
    words  TEXT    NOT NULL              -- id and comment without letter case and accents, a line each
) STRICT;
CREATE UNIQUE INDEX entry_id ON entry (id);
CREATE INDEX entry_time ON entry (time, id);
CREATE INDEX entry_added ON entry (added, id);
CREATE INDEX entry_size ON entry (size, id);
CREATE INDEX entry_state ON entry (state, id);

-- What is told of an entry, and what its terms follow from; apart, so that the entries stay short.
CREATE TABLE told (
    number INTEGER PRIMARY KEY,
    shown  TEXT    NOT NULL,             -- JSON
    info   TEXT    NOT NULL              -- the image's, as the catalog has it
) STRICT;

-- Which entries a term is true of, in pieces of 16,384 numbers.
CREATE TABLE posting (
    term  TEXT    NOT NULL,              -- state:approved, tag:final, key:age, value:age=57 and so on; * is true of all
    piece INTEGER NOT NULL,
    n     INTEGER NOT NULL,              -- how many
    cases BLOB    NOT NULL,
    PRIMARY KEY (term, piece)
) STRICT, WITHOUT ROWID;
