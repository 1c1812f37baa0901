// One case in the library: a tile, or a line of the table.

import { caseAddress } from "./address";
import type { Row } from "./datastore";
import type { Query } from "./query";
import { StateSign } from "./state";
import { Thumbnail } from "./thumbnail";
import { ago, bytes, moment } from "./words";

interface Props {
  row: Row | undefined; // not fetched yet
  query: Query;
  current: boolean; // the keyboard is here
}

export function Tile({ row, query, current }: Props) {
  if (!row) return <div class="tile waiting" />;
  return (
    <a
      class="tile"
      href={caseAddress({ id: row.id, within: query })}
      tabIndex={current ? 0 : -1}
      data-id={row.id}
      title={row.id}
    >
      <Thumbnail key={row.id} row={row} size={384} />
      <span class="caption">
        <b class="name">{row.id}</b>
        <span class="line">
          <StateSign state={row.state} />
          <span class="by">{row.annotator}</span>
        </span>
        <span class="line">
          <span class="tags">{row.tags.join(", ")}</span>
          <span>
            {row.time && <time title={moment(row.time)}>{ago(row.time)}</time>}
            {row.size != null && <span class="size"> · {bytes(row.size)}</span>}
          </span>
        </span>
      </span>
      {row.comment && <i class="noted" title={row.comment} />}
    </a>
  );
}

export function Line({ row, query, current }: Props) {
  if (!row) return <div class="row waiting" />;
  return (
    <a class="row" href={caseAddress({ id: row.id, within: query })} tabIndex={current ? 0 : -1} data-id={row.id}>
      <Thumbnail key={row.id} row={row} size={128} />
      <b class="name">{row.id}</b>
      <StateSign state={row.state} />
      <span class="tags">
        {row.tags.map((tag) => (
          <span key={tag} class="chip">
            {tag}
          </span>
        ))}
      </span>
      <span class="by">{row.annotator}</span>
      <span class="comment">{row.comment}</span>
      <time title={row.time ? moment(row.time) : ""}>{row.time && ago(row.time)}</time>
      <span class="size">{row.size != null && bytes(row.size)}</span>
    </a>
  );
}
