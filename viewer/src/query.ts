// Which cases a list shows, and in which order.

export interface Query {
  text: string;
  state: string;
  tag: string;
  annotator: string;
  structure: string;
  info: string[]; // each KEY=VALUE
  sort: string;
}

export const EVERYTHING: Query = { text: "", state: "", tag: "", annotator: "", structure: "", info: [], sort: "id" };
export const WAITING: Query = { ...EVERYTHING, state: "labelled", sort: "time" }; // for review, longest first
export const STATES = ["unlabelled", "labelled", "approved", "flagged"] as const;
export const SORTS: [string, string][] = [
  ["id", "Name, A to Z"],
  ["-id", "Name, Z to A"],
  ["-time", "Changed last"],
  ["time", "Changed first"],
  ["-added", "Added last"],
  ["added", "Added first"],
  ["-size", "Largest"],
  ["size", "Smallest"],
  ["state", "State, least done"],
  ["-state", "State, most done"],
];

const WORDS = ["text", "state", "tag", "annotator", "structure"] as const;

export function parse(search: string): Query {
  const given = new URLSearchParams(search);
  const query: Query = { ...EVERYTHING, info: given.getAll("info"), sort: given.get("sort") || EVERYTHING.sort };
  for (const name of WORDS) query[name] = given.get(name) ?? "";
  return query;
}

export function format(query: Query): string {
  const parts = new URLSearchParams();
  for (const name of WORDS) if (query[name]) parts.set(name, query[name]);
  for (const pair of query.info) parts.append("info", pair);
  if (query.sort !== EVERYTHING.sort) parts.set("sort", query.sort);
  return parts.toString();
}

// How many filters there are beside the text.
export function filtersIn(query: Query): number {
  return query.info.length + WORDS.filter((name) => name !== "text" && query[name] !== "").length;
}

export function isFiltered(query: Query): boolean {
  return query.text !== "" || filtersIn(query) > 0;
}
