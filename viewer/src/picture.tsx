// The left of a case: its volume or picture, and how it is looked at.

import { useEffect, useState } from "preact/hooks";
import { caseAddress, go, type CasePlace, type Chosen } from "./address";
import type { Label } from "./arriving";
import { CHANGES, CHANGE_COLOURS } from "./changes";
import type { Row } from "./datastore";
import { CannotShow, Flat } from "./flat";
import { useKeys } from "./keys";
import { LAYOUTS, type Layout, type Look, type View, type Windows } from "./look";
import { Stage, type Found } from "./stage";
import { colourOf, type Structure } from "./structures";
import type { Subject } from "./subject";
import { Toolbar } from "./toolbar";

const LOOK: Look = { opacity: 0.5, outline: false, only: null, colours: colourOf };

export function useView(place: CasePlace, tag: string | null): View {
  const [look, setLook] = useState(LOOK);
  const [windows, setWindows] = useState<Windows | null>(null);
  const layout = place.view ?? usualLayout();
  const setLayout = (view: Layout) => go(caseAddress({ ...place, view }), { replace: true });
  useEffect(() => setLook((before) => ({ ...before, only: null })), [tag]);
  return { look, setLook, layout, setLayout, windows, setWindows };
}

export function useViewKeys(view: View, structures: Structure[]): void {
  const { look, setLook, layout, setLayout, windows, setWindows } = view;
  const solo = (step: number) => {
    const ring = [null, ...structures.map(({ value }) => value)];
    setLook({ ...look, only: following(ring, look.only, step) });
  };
  useKeys({
    v: () => setLayout(following(LAYOUTS, layout, 1)),
    l: () => setLook({ ...look, opacity: look.opacity ? 0 : LOOK.opacity }),
    o: () => setLook({ ...look, outline: !look.outline }),
    "[": () => solo(-1),
    "]": () => solo(1),
    w: () => windows && setWindows({ ...windows, now: windows.usual }),
  });
}

interface Props {
  place: CasePlace;
  subject: Subject;
  tag: string | null;
  view: View;
  found: (found: Found) => void;
}

export function Picture({ place, subject, tag, view, found }: Props) {
  const { id } = place;
  const row = subject.row.value;
  const header = subject.header.value;
  if (subject.header.error) return <CannotShow image={id} reason={subject.header.error.message} />;
  if (!header || !row) return <div class="stage waiting" />;
  const shown = labelOf(row, tag ? { tag, version: place.version } : null);
  if (isFlat(header.shape)) return <Flat image={id} v={`${row.version}.${shown?.v}`} tag={view.look.opacity ? tag : null} />;
  const { windows, setWindows } = view;
  const asked = [tag, place.against?.tag].filter((one): one is string => !!one && !row.labels[one]);
  return (
    <>
      <Stage
        remarks={asked.map((one) => `This case has no label ${one}.`)}
        image={id}
        v={String(row.version)}
        header={header}
        label={shown}
        against={labelOf(row, place.against)}
        beside={place.beside}
        look={view.look}
        changes={changesLook(view.look)}
        layout={view.layout}
        window={windows?.now ?? null}
        windowed={(now, usual, range) => setWindows({ now, usual, range })}
        found={found}
      />
      <Toolbar {...view} />
    </>
  );
}

// What differs has to stand out from the image.
function changesLook({ opacity, outline }: Look): Look {
  const colours = (value: number) => CHANGE_COLOURS[CHANGES[value - 1] ?? "same"];
  return { opacity: Math.min(1, 1.6 * opacity), outline, only: null, colours };
}

function labelOf(row: Row, chosen: Chosen | null): Label | null {
  const known = chosen && row.labels[chosen.tag];
  return known ? { chosen, v: String(known.version) } : null;
}

const usualLayout = (): Layout => (matchMedia("(max-width: 700px)").matches ? "axial" : "all");

const isFlat = (shape: number[]): boolean => shape.filter((length) => length > 1).length < 3;

function following<T>(ring: T[], now: T, step: number): T {
  return ring[(ring.indexOf(now) + step + ring.length) % ring.length]!;
}
