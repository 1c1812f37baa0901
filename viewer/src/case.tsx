// One case: its picture, its labels, its review, its history.

import { useEffect, useMemo, useState } from "preact/hooks";
import { caseAddress, go, libraryAddress, type CasePlace } from "./address";
import { About } from "./about";
import { bringBack } from "./bringing";
import { imageVersions, restoreImage, type Row } from "./datastore";
import { Dropped } from "./dropped";
import { forgetVolumes } from "./fetching";
import { prepare } from "./graphics";
import { Heading } from "./heading";
import { History } from "./history";
import { useReadOnly } from "./home";
import { Icon } from "./icons";
import { useKeys } from "./keys";
import { Labels } from "./labels";
import { useAsked } from "./loading";
import { useNeighbours, type Neighbours } from "./neighbours";
import { useOvertaken } from "./overtaken";
import { Picture, useView, useViewKeys } from "./picture";
import { Review } from "./review";
import type { Found } from "./stage";
import { StateSign } from "./state";
import { structuresOf } from "./structures";
import { useLabel, useSubject } from "./subject";

export function Case({ place }: { place: CasePlace }) {
  const { id, within } = place;
  const subject = useSubject(id, within);
  const row = subject.row.value;
  const tag = place.tag ?? usualTag(row);
  const reviewed = row && tag && !row.labels[tag] ? null : tag; // an address may name a label that is not there
  const label = useLabel(id, tag);
  useOvertaken(place, tag, label.versions.value);
  const view = useView(place, tag);
  const [found, setFound] = useState<Found>({ label: null, difference: null, exact: true });
  const structures = useMemo(
    () => structuresOf(label.info.value, found.label?.millilitres ?? null),
    [label.info.value, found.label],
  );
  const neighbours = useNeighbours(place);
  useEffect(prepare, []);
  useEffect(() => forgetVolumes, []);
  useViewKeys(view, structures);
  useKeys({ n: neighbours.next, p: neighbours.previous, Escape: () => go(libraryAddress(within)) });
  if (subject.row.error) return <Missing place={place} error={subject.row.error} again={subject.row.again} />;
  return (
    <div class="screen case">
      <Heading title={id}>
        <CaseTitle place={place} row={row} neighbours={neighbours} />
      </Heading>
      <main>
        <section class="view">
          <Picture place={place} subject={subject} tag={tag} view={view} found={setFound} />
        </section>
        <aside class="panel">
          <Review
            key={reviewed}
            id={id}
            tag={reviewed}
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
            look={view.look}
            setLook={view.setLook}
            difference={found.difference}
            exact={found.exact}
            show={(part) => go(caseAddress({ ...place, ...part }), { replace: true })}
          />
          <Dropped id={id} tag={tag} />
          <About id={id} row={row} header={subject.header.value} info={subject.info.value} />
          <History events={subject.events} row={row} />
        </aside>
      </main>
    </div>
  );
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
  const readOnly = useReadOnly();
  const versions = useAsked(() => imageVersions(place.id).catch(() => []), [place.id]).value ?? [];
  const back = async () => {
    if (await bringBack((client) => restoreImage(place.id, client), `${place.id} is there again.`)) again();
  };
  return (
    <div class="screen case">
      <Heading />
      <section class="empty" role="alert">
        <h2>{place.id}</h2>
        <p>{error.message}</p>
        <button type="button" class="button" onClick={again}>
          Look again
        </button>
        {!readOnly && versions.some(({ kept }) => kept) && (
          <button type="button" class="button" onClick={() => void back()}>
            Bring it back
          </button>
        )}
        <a class="button" href={libraryAddress(place.within)}>
          Back to the library
        </a>
      </section>
    </div>
  );
}

function usualTag(row: Row | null): string | null {
  return row ? (row.tags.includes("final") ? "final" : (row.tags.at(-1) ?? null)) : null;
}
