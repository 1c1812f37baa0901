// The library: every case with its picture, found by searching, filtering and sorting.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { go, libraryAddress, type LibraryPlace } from "./address";
import { Columns } from "./columns";
import { facets as askFacets, type Facets } from "./datastore";
import { useDropping } from "./dropping";
import { Line, Tile } from "./entry";
import { Filters, Search } from "./filters";
import { columnsOf, Grid, LINES, TILES } from "./grid";
import { Heading } from "./heading";
import { useReadOnly } from "./home";
import { Icon } from "./icons";
import { useKeys } from "./keys";
import { listingOf, type Listing } from "./listing";
import { useAsked, type Asked } from "./loading";
import { useNews } from "./news";
import { EVERYTHING, filtersIn, isFiltered, type Query } from "./query";
import { addImages } from "./uploads";
import { count, counted } from "./words";

export function Library({ place }: { place: LibraryPlace }) {
  const { query, layout } = place;
  const listing = useListing(query);
  const facets = useFacets();
  const scroller = useRef<HTMLElement>(null);
  const [open, setOpen] = useState(false); // the filters on a small screen
  const change = (part: Partial<Query>) =>
    go(libraryAddress({ ...query, ...part }, layout), { replace: "text" in part });
  const relayout = (next: "grid" | "table") => go(libraryAddress(query, next), { replace: true });
  const shape = layout === "table" ? LINES : TILES;
  const cursor = useCursor(listing, () => columnsOf(scroller.current, shape), scroller);
  const dragged = useDropping((files) => void addImages(files));
  useKeys({
    "/": () => document.querySelector<HTMLInputElement>(".search input")?.focus(),
    g: () => relayout("grid"),
    t: () => relayout("table"),
    r: () => go("/ui/review"),
    Escape: () => isFiltered(query) && go(libraryAddress({ ...EVERYTHING, sort: query.sort }, layout)),
    ...cursor.keys,
  });
  const Entry = layout === "table" ? Line : Tile;
  return (
    <div class={`screen library ${dragged ? "dropping" : ""}`}>
      <Heading>
        <Search text={query.text} change={change} />
        <div class="switch" role="group" aria-label="layout">
          <button type="button" aria-pressed={layout === "grid"} title="Grid (g)" onClick={() => relayout("grid")}>
            <Icon name="grid" />
          </button>
          <button type="button" aria-pressed={layout === "table"} title="Table (t)" onClick={() => relayout("table")}>
            <Icon name="table" />
          </button>
        </div>
      </Heading>
      <main class="scroller" ref={scroller}>
        <div>
          <Progress facets={facets.value} />
          <button type="button" class="filters-open" aria-expanded={open} onClick={() => setOpen(!open)}>
            <Icon name="filter" /> Filter and sort {filtersIn(query) > 0 && <b>{filtersIn(query)}</b>}
          </button>
          <div class={open ? "filters-place open" : "filters-place"}>
            <Filters query={query} facets={facets.value} change={change} />
          </div>
          <Found
            listing={listing}
            query={query}
            clear={() => go(libraryAddress({ ...EVERYTHING, sort: query.sort }, layout))}
          />
          <div class={layout}>
            {layout === "table" && listing.total ? <Columns sort={query.sort} change={change} /> : null}
            <Grid
              listing={listing}
              shape={shape}
              cursor={cursor.at}
              drawn={cursor.settle}
              entry={(index) => <Entry row={listing.row(index)} query={query} current={index === cursor.at} />}
            />
          </div>
        </div>
      </main>
      {dragged && <p class="drop-here">Drop images here to add them</p>}
    </div>
  );
}

function Progress({ facets }: { facets: Facets | null }) {
  if (!facets) return <section class="progress waiting" />;
  const { total, labelled, reviewed } = facets;
  const part = (n: number) => (total ? (100 * n) / total : 0);
  const percent = (n: number) =>
    `${n && n < total ? Math.min(99, Math.max(1, Math.round(part(n)))) : Math.round(part(n))} %`;
  const waiting = facets.state.labelled ?? 0;
  return (
    <section class="progress" aria-label="progress">
      <p>
        <b>{counted(total, "case")}</b>
        <span class="measure labelled">
          {count(labelled)} labelled <small>{percent(labelled)}</small>
        </span>
        <span class="measure reviewed">
          {count(reviewed)} reviewed <small>{percent(reviewed)}</small>
        </span>
        {waiting > 0 && (
          <a class="button" href="/ui/review" title="r">
            Review {count(waiting)} waiting
          </a>
        )}
      </p>
      <div class="bar" role="img" aria-label={`${percent(labelled)} labelled, ${percent(reviewed)} reviewed`}>
        <i class="labelled" style={{ width: `${part(labelled)}%` }} />
        <i class="reviewed" style={{ width: `${part(reviewed)}%` }} />
      </div>
    </section>
  );
}

function Found({ listing, query, clear }: { listing: Listing; query: Query; clear: () => void }) {
  const readOnly = useReadOnly();
  if (listing.error)
    return (
      <section class="empty" role="alert">
        <h2>The cases could not be fetched</h2>
        <p>{listing.error.message}</p>
        <button type="button" class="button" onClick={() => listing.retry()}>
          Try again
        </button>
      </section>
    );
  if (listing.total === null) return <Skeleton />;
  if (listing.total) return isFiltered(query) ? <p class="found">{counted(listing.total, "case")} found</p> : null;
  if (isFiltered(query))
    return (
      <section class="empty">
        <h2>No case is like that</h2>
        <p>Nothing matches the search and the filters together.</p>
        <button type="button" class="button" onClick={clear}>
          Show all cases
        </button>
      </section>
    );
  return (
    <section class="empty">
      <h2>No images yet</h2>
      <p>{readOnly ? "Copy files" : "Drop files here, copy them"} into the datastore's folder, or add them with</p>
      <pre>monailabel-datastore add FOLDER FILE…</pre>
      <p>Scans in its sub-folders come with</p>
      <pre>monailabel-datastore serve FOLDER --recursive</pre>
    </section>
  );
}

function Skeleton() {
  return (
    <div class="skeleton" aria-label="loading">
      {Array.from({ length: 12 }, (_, k) => (
        <div key={k} class="tile waiting" />
      ))}
    </div>
  );
}

function useListing(query: Query): Listing {
  const listing = listingOf(query);
  const [, redraw] = useState(0);
  useLayoutEffect(() => listing.listen(() => redraw((n) => n + 1)), [listing]); // before anything is asked for
  useLayoutEffect(() => {
    if (listing.total === null) listing.want(0, 0);
  }, [listing]);
  return listing;
}

const CALM = 1000; // ms between two looks at the counts while much happens

function useFacets(): Asked<Facets> {
  const asked = useAsked(askFacets, []);
  useNews(asked.again, CALM);
  return asked;
}

// The case that the keyboard is at, and the keys that move it.
function useCursor(listing: Listing, columns: () => number, scroller: { current: HTMLElement | null }) {
  const [, redraw] = useState(0);
  const held = useRef(false); // the keyboard is in the list, though its entry may not be in the page
  useEffect(() => {
    const leave = () => {
      held.current = false;
    };
    addEventListener("pointerdown", leave);
    return () => removeEventListener("pointerdown", leave);
  }, []);
  const focus = (index: number) =>
    scroller.current
      ?.querySelector<HTMLElement>(`.entry[aria-posinset="${index + 1}"] a`)
      ?.focus({ preventScroll: true });
  const inside = (): boolean => {
    const active = document.activeElement;
    return active?.closest(".entry") != null || (held.current && active === document.body);
  };
  const settle = () => {
    if (held.current && inside()) focus(listing.cursor); // its entry has come, or came anew, which takes the focus from it
  };
  const move = (to: number) => {
    const next = Math.max(0, Math.min((listing.total ?? 1) - 1, to));
    held.current = true;
    listing.cursor = next; // what the next key, which may come before this is drawn, goes on from
    focus(next);
    redraw((n) => n + 1);
  };
  const by = (count: number) => move(listing.cursor + (inside() ? count : 0)); // the first key only comes in
  const lines = () => Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / (columns() > 1 ? 280 : 56)) - 1);
  const keys = {
    ArrowRight: () => by(1),
    ArrowLeft: () => by(-1),
    ArrowDown: () => by(columns()),
    ArrowUp: () => by(-columns()),
    PageDown: () => by(columns() * lines()),
    PageUp: () => by(-columns() * lines()),
    Home: () => move(0),
    End: () => move(Infinity),
    Enter: () => scroller.current?.querySelector<HTMLElement>(`.entry[aria-posinset="${listing.cursor + 1}"] a`)?.click(),
  };
  return { at: listing.cursor, keys, settle };
}
