// The cases before and after one, in the list that it was opened from.

import { useEffect, useState } from "preact/hooks";
import { caseAddress, go, type CasePlace } from "./address";
import { listingOf } from "./listing";
import { isFiltered } from "./query";
import { WORDS } from "./state";
import { count } from "./words";

export interface Neighbours {
  position: string | null;
  next: () => void;
  previous: () => void;
}

// The list stays as it was while cases are gone through: one that was approved does not jump to another place.
export function useNeighbours(place: CasePlace): Neighbours {
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
