// What chooses among the cases: state, tag, annotator, structure, any info; and their order.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Counts, Facets } from "./datastore";
import { Icon } from "./icons";
import { SORTS, STATES, type Query } from "./query";
import { WORDS } from "./state";
import { count } from "./words";

interface Props {
  query: Query;
  facets: Facets | null;
  change: (part: Partial<Query>) => void;
}

export function Filters({ query, facets, change }: Props) {
  return (
    <div class="filters" role="group" aria-label="filters">
      <States query={query} facets={facets} change={change} />
      <Choice word="Tag" name="tag" counts={facets?.tag} query={query} change={change} />
      <Choice word="Annotator" name="annotator" counts={facets?.annotator} query={query} change={change} />
      <Choice word="Structure" name="structure" counts={facets?.structure} query={query} change={change} />
      <InfoFilter query={query} facets={facets} change={change} />
      <label class="pick sort">
        <span>Sort</span>
        <select name="sort" value={query.sort} onChange={(event) => change({ sort: event.currentTarget.value })}>
          {SORTS.map(([key, word]) => (
            <option key={key} value={key}>
              {word}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function States({ query, facets, change }: Props) {
  const choose = (state: string) => change({ state });
  return (
    <div class="states" role="group" aria-label="state">
      <button type="button" aria-pressed={!query.state} onClick={() => choose("")}>
        All <small>{facets && count(facets.total)}</small>
      </button>
      {STATES.map((state) => (
        <button
          key={state}
          type="button"
          aria-pressed={query.state === state}
          onClick={() => choose(query.state === state ? "" : state)}
        >
          {WORDS[state]} <small>{facets && count(facets.state[state] ?? 0)}</small>
        </button>
      ))}
    </div>
  );
}

interface ChoiceProps {
  word: string;
  name: "tag" | "annotator" | "structure";
  counts: Counts | undefined;
  query: Query;
  change: (part: Partial<Query>) => void;
}

function Choice({ word, name, counts, query, change }: ChoiceProps) {
  const chosen = query[name];
  const known = Object.entries(counts ?? {}).sort(([a], [b]) => a.localeCompare(b));
  if (chosen && !known.some(([key]) => key === chosen)) known.push([chosen, 0]);
  if (!known.length) return null;
  return (
    <label class={chosen ? "pick chosen" : "pick"}>
      <span>{word}</span>
      <select name={name} value={chosen} onChange={(event) => change({ [name]: event.currentTarget.value })}>
        <option value="">any</option>
        {known.map(([key, n]) => (
          <option key={key} value={key}>
            {key} ({count(n)})
          </option>
        ))}
      </select>
    </label>
  );
}

const OWN = ["name", "ts"]; // every info has them, and each its own value

function InfoFilter({ query, facets, change }: Props) {
  const keys = Object.keys(facets?.info ?? {})
    .filter((known) => !OWN.includes(known))
    .sort();
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const add = (event: Event) => {
    event.preventDefault();
    if (!key) return;
    const pair = value.trim() ? `${key}=${value.trim()}` : key; // the key alone: whatever its value
    change({ info: [...query.info.filter((known) => known !== key && !known.startsWith(`${key}=`)), pair] });
    setKey("");
    setValue("");
  };
  return (
    <>
      {query.info.map((pair) => (
        <button
          key={pair}
          type="button"
          class="chip chosen"
          onClick={() => change({ info: query.info.filter((p) => p !== pair) })}
        >
          {pair} <Icon name="close" />
        </button>
      ))}
      {keys.length > 0 && (
        <form class="pick info" onSubmit={add}>
          <span>Info</span>
          <select name="info-key" aria-label="info" value={key} onChange={(event) => setKey(event.currentTarget.value)}>
            <option value="">any</option>
            {keys.map((known) => (
              <option key={known} value={known}>
                {known}
              </option>
            ))}
          </select>
          {key && (
            <input
              name="info-value"
              aria-label={`value of ${key}`}
              placeholder="value or any, Enter"
              value={value}
              ref={focus}
              onInput={(event) => setValue(event.currentTarget.value)}
            />
          )}
        </form>
      )}
    </>
  );
}

function focus(input: HTMLInputElement | null): void {
  input?.focus();
}

const PAUSE = 150; // ms between the last letter and the request

export function Search({ text, change }: { text: string; change: (part: Partial<Query>) => void }) {
  const [typed, setTyped] = useState(text);
  const sent = useRef(text);
  useLayoutEffect(() => {
    if (text !== sent.current) setTyped(text); // changed elsewhere, not by what was typed here a moment ago
    sent.current = text;
  }, [text]);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => {
      sent.current = typed;
      change({ text: typed });
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <label class="search">
      <Icon name="search" />
      <input
        type="search"
        name="text"
        placeholder="Search"
        aria-label="search cases"
        autocomplete="off"
        spellcheck={false}
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onKeyDown={(event) => (event.key === "Escape" || event.key === "Enter") && event.currentTarget.blur()}
      />
      <kbd>/</kbd>
    </label>
  );
}
