-- Kept bytes can be erased.

-- Kept bytes that nobody may have any more: their rows are gone, and their files go next.
CREATE TABLE doomed (
    token  TEXT    PRIMARY KEY,
    tag    TEXT    NOT NULL,              -- '' : in the history of the images, else of the labels
    sha256 TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
