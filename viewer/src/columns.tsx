// The head of the table: what each column tells, and the order that some of them give.

import { Icon } from "./icons";

interface Props {
  sort: string;
  change: (part: { sort: string }) => void;
}

interface Column {
  word: string;
  sort?: string; // the order that a first click gives
  wide?: boolean; // there is room for it on a wide screen only
}

const COLUMNS: Column[] = [
  { word: "Case", sort: "id" },
  { word: "State", sort: "state" },
  { word: "Tags", wide: true },
  { word: "Annotator", wide: true },
  { word: "Comment", wide: true },
  { word: "Changed", sort: "-time" },
  { word: "Size", sort: "-size", wide: true },
];

export function Columns({ sort, change }: Props) {
  return (
    <div class="columns" role="group" aria-label="columns">
      <span />
      {COLUMNS.map((column) => (
        <Head key={column.word} {...column} now={sort} change={change} />
      ))}
    </div>
  );
}

function Head({ word, sort, wide, now, change }: Column & { now: string; change: Props["change"] }) {
  const place = wide ? "wide" : "";
  if (!sort) return <span class={place}>{word}</span>;
  const chosen = opposite(now) === sort || now === sort;
  return (
    <button
      type="button"
      class={place}
      aria-pressed={chosen}
      title={`Sort by ${word.toLowerCase()}`}
      onClick={() => change({ sort: now === sort ? opposite(sort) : sort })}
    >
      {word}
      {chosen && <Icon name={now.startsWith("-") ? "down" : "up"} />}
    </button>
  );
}

const opposite = (sort: string): string => (sort.startsWith("-") ? sort.slice(1) : `-${sort}`);
