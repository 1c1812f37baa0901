-- Whether a file is a link is told without looking at it: few are, so that the index is small.

CREATE INDEX version_link ON version (item, number) WHERE link IS NOT NULL;
