// One case: its picture, its labels, its review, its history.

import { useEffect, useMemo, useState } from "preact/hooks";
import { caseAddress, go, libraryAddress, type CasePlace, type Chosen } from "./address";
import { About } from "./about";
import type { Label } from "./arriving";
import type { Row } from "./datastore";
import { Dropped } from "./dropped";
import { forgetVolumes } from "./fetching";
import { CannotShow, Flat } from "./flat";
import { prepare } from "./graphics";
import { Heading } from "./heading";
import { History } from "./history";
import { Icon } from "./icons";
import { useKeys } from "./keys";
import { Labels } from "./labels";
import { listingOf } from "./listing";
import { isFiltered } from "./query";
import { Review } from "./review";
import { CHANGES, CHANGE_COLOURS } from "./changes";
import { LAYOUTS, type Layout, type Look } from "./look";
import { Stage, type Found, type Window } from "./stage";
import { StateSign, WORDS } from "./state";
import { colourOf, structuresOf } from "./structures";
import { useLabel, useSubject } from "./subject";
import { Toolbar } from "./toolbar";
import { count } from "./words";

const LOOK: Look = { opacity: 0.5, outline: false, only: null, colours: colourOf };
const CHANGES_LOOK: Look = { ...LOOK, opacity: 0.8, colours: (value) => CHANGE_COLOURS[CHANGES[value - 1] ?? "same"] };

export function Case({ place }: { place: CasePlace }) {
  const { id, within } = place;
  const subject = useSubject(id, within);
  const row = subject.row.value;
  const tag = place.tag ?? usualTag(row);
  const label = useLabel(id, tag);
  const [look, setLook] = useState(LOOK);
  const layout = place.view ?? usualView();
  const [window, setWindow] = useState<{ now: Window; usual: Window; range: Window } | null>(null);
  const [found, setFound] = useState<Found>({ label: null, difference: null, exact: true });
  const structures = useMemo(
    () => structuresOf(label.info.value, found.label?.millilitres ?? null),
    [label.info.value, found.label],
  );
  const neighbours = useNeighbours(place);
  const setLayout = (view: Layout) => show({ view });
  const show = (part: Partial<CasePlace>) => go(caseAddress({ ...place, ...part }), { replace: true });
  const solo = (step: number) =>
    setLook({
      ...look,
      only: following(
        structures.map((s) => s.value),
        look.only,
        step,
      ),
    });
  useEffect(prepare, []);
  useEffect(() => forgetVolumes, []);
  useEffect(() => setLook((before) => ({ ...before, only: null })), [tag]);
  useKeys({
    n: neighbours.next,
    p: neighbours.previous,
    Escape: () => go(libraryAddress(within)),
    v: () => setLayout(LAYOUTS[(LAYOUTS.indexOf(layout) + 1) % LAYOUTS.length]!),
    l: () => setLook({ ...look, opacity: look.opacity ? 0 : 0.5 }),
    o: () => setLook({ ...look, outline: !look.outline }),
    "[": () => solo(-1),
    "]": () => solo(1),
    w: () => window && setWindow({ ...window, now: window.usual }),
  });
  if (subject.row.error) return <Missing place={place} error={subject.row.error} again={subject.row.again} />;
  const current = (chosen: Chosen | null): Label | null =>
    chosen && row?.labels[chosen.tag] ? { chosen, v: String(row.labels[chosen.tag]!.version) } : null;
  const shown = current(tag ? { tag, version: place.version } : null);
  return (
    <div class="screen case">
      <Heading title={id}>
        <CaseTitle place={place} row={row} neighbours={neighbours} />
      </Heading>
      <main>
        <section class="view">
          {subject.header.error ? (
            <CannotShow image={id} reason={subject.header.error.message} />
          ) : !subject.header.value || !row ? (
            <div class="stage waiting" />
          ) : isFlat(subject.header.value.shape) ? (
            <Flat image={id} v={`${row.version}.${shown?.v}`} tag={look.opacity ? tag : null} />
          ) : (
            <Stage
              image={id}
              v={String(row.version)}
              header={subject.header.value}
              label={shown}
              against={current(place.against)}
              beside={place.beside}
              look={look}
              changes={CHANGES_LOOK}
              layout={layout}
              window={window?.now ?? null}
              windowed={(now, usual, range) => setWindow({ now, usual, range })}
              found={setFound}
            />
          )}
          {subject.header.value && !isFlat(subject.header.value.shape) && (
            <Toolbar
              layout={layout}
              setLayout={setLayout}
              look={look}
              setLook={setLook}
              window={window}
              setWindow={(now) => window && setWindow({ ...window, now })}
            />
          )}
        </section>
        <aside class="panel">
          <Review
            key={tag}
            id={id}
            tag={tag}
            earlier={place.version !== null}
            info={label.info}
            neighbours={neighbours}
            queue={within.state === "labelled"}
          />
          <Labels
            id={id}
            place={place}
            row={row}
            tag={tag}
            versions={label.versions.value ?? []}
            structures={structures}
            look={look}
            setLook={setLook}
            difference={found.difference}
            exact={found.exact}
            show={show}
          />
          <Dropped id={id} tag={tag} />
          <About id={id} row={row} header={subject.header.value} info={subject.info.value} />
          <History events={subject.events} />
        </aside>
      </main>
    </div>
  );
}

export interface Neighbours {
  position: string | null;
  next: () => void;
  previous: () => void;
}

function CaseTitle({ place, row, neighbours }: { place: CasePlace; row: Row | null; neighbours: Neighbours }) {
  return (
    <div class="case-title">
      <a
        class="quiet"
        href={libraryAddress(place.within)}
        title="Back to the library (Esc)"
        aria-label="back to the library"
      >
        <Icon name="back" />
      </a>
      <h1 title={place.id}>{place.id}</h1>
      {row && <StateSign state={row.state} />}
      <span class="neighbours">
        <span class="position">{neighbours.position}</span>
        <button
          type="button"
          class="quiet"
          title="Previous (p)"
          aria-label="previous case"
          onClick={neighbours.previous}
        >
          <Icon name="back" />
        </button>
        <button type="button" class="quiet" title="Next (n)" aria-label="next case" onClick={neighbours.next}>
          <Icon name="forward" />
        </button>
      </span>
    </div>
  );
}

function Missing({ place, error, again }: { place: CasePlace; error: Error; again: () => void }) {
  return (
    <div class="screen case">
      <Heading />
      <section class="empty" role="alert">
        <h2>{place.id}</h2>
        <p>{error.message}</p>
        <button type="button" class="button" onClick={again}>
          Look again
        </button>
        <a class="button" href={libraryAddress(place.within)}>
          Back to the library
        </a>
      </section>
    </div>
  );
}

const usualView = (): Layout => (matchMedia("(max-width: 700px)").matches ? "axial" : "all");

function usualTag(row: Row | null): string | null {
  return row ? (row.tags.includes("final") ? "final" : (row.tags.at(-1) ?? null)) : null;
}

const isFlat = (shape: number[]): boolean => shape.filter((length) => length > 1).length < 3;

function following(values: number[], value: number | null, step: number): number | null {
  const ring = [null, ...values];
  return ring[(ring.indexOf(value) + step + ring.length) % ring.length] ?? null;
}

// The cases before and after this one in the list it was opened from. The list stays as it was while cases are gone
// through: one that was approved does not jump to another place.
function useNeighbours(place: CasePlace): Neighbours {
  const { id, within } = place;
  const listing = listingOf(within);
  const [index, setIndex] = useState(() => listing.place(id));
  useEffect(() => {
    let current = true;
    void listing.reach(0).then(() => {
      const at = listing.place(id);
      if (!current) return;
      setIndex(at);
      if (at >= 0) listing.cursor = at;
    });
    return () => {
      current = false;
    };
  }, [id]);
  const open = async (step: number) => {
    const at = (await listing.find(id)) + step;
    const row = at < 0 ? undefined : await listing.reach(at);
    if (row) go(caseAddress({ id: row.id, within, view: place.view }));
    else if (within.state === "labelled" && step > 0) go("/ui/review");
  };
  const among = isFiltered(within)
    ? ` ${within.state ? (WORDS[within.state as keyof typeof WORDS] ?? "").toLowerCase() : "found"}`
    : "";
  return {
    position: index >= 0 && listing.total ? `${count(index + 1)} of ${count(listing.total)}${among}` : null,
    next: () => void open(1),
    previous: () => void open(-1),
  };
}
