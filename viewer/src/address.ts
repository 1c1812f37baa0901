// Deep links: what the address in the browser's bar shows, and going elsewhere.

import { useEffect, useState } from "preact/hooks";
import { LAYOUTS, type Layout } from "./look";
import { EVERYTHING, format, parse, type Query } from "./query";

export interface Chosen {
  tag: string;
  version: number | null; // null: the current one
}

export interface LibraryPlace {
  screen: "library";
  query: Query;
  layout: "grid" | "table";
}

export interface CasePlace {
  screen: "case";
  id: string;
  tag: string | null;
  version: number | null;
  against: Chosen | null; // the label that it is compared with
  beside: boolean; // side by side instead of what differs
  view: Layout | null; // null: the usual one for the screen
  within: Query; // the list that next and previous go through
}

export type Place = LibraryPlace | CasePlace | { screen: "queue" };

const MOVED = "viewer:moved";

export function read(location: { pathname: string; search: string }): Place {
  const [, screen, id] = location.pathname.replace(/^\/ui\/?/, "/").split("/");
  if (screen === "case" && id) return readCase(decode(id), new URLSearchParams(location.search));
  if (screen === "review") return { screen: "queue" };
  const layout = new URLSearchParams(location.search).get("layout") === "table" ? "table" : "grid";
  return { screen: "library", query: parse(location.search), layout };
}

function readCase(id: string, given: URLSearchParams): CasePlace {
  const within = given.get("in");
  return {
    screen: "case",
    id,
    tag: given.get("tag"),
    version: number(given.get("version")),
    against: chosen(given.get("against")),
    beside: given.get("how") === "beside",
    view: LAYOUTS.find((known) => known === given.get("view")) ?? null,
    within: within === null ? EVERYTHING : parse(within),
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function number(word: string | null): number | null {
  return word && /^\d+$/.test(word) ? Number(word) : null;
}

function chosen(word: string | null): Chosen | null {
  if (!word) return null;
  const [, tag = word, version = null] = /^(.+)@(\d+)$/.exec(word) ?? [];
  return { tag, version: number(version) };
}

export function nameOf({ tag, version }: Chosen): string {
  return version === null ? tag : `${tag}@${version}`;
}

export function libraryAddress(query: Query, layout: "grid" | "table" = "grid"): string {
  const search = [format(query), layout === "table" ? "layout=table" : ""].filter(Boolean).join("&");
  return `/ui/${search && "?"}${search}`;
}

export function caseAddress(place: Partial<CasePlace> & { id: string }): string {
  const parts = new URLSearchParams();
  if (place.tag) parts.set("tag", place.tag);
  if (place.version != null) parts.set("version", String(place.version));
  if (place.against) parts.set("against", nameOf(place.against));
  if (place.against && place.beside) parts.set("how", "beside");
  if (place.view) parts.set("view", place.view);
  if (place.within && format(place.within)) parts.set("in", format(place.within));
  const search = parts.toString();
  return `/ui/case/${encodeURIComponent(place.id)}${search && "?"}${search}`;
}

export function go(address: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  dispatchEvent(new Event(MOVED));
}

export function usePlace(): Place {
  const [place, setPlace] = useState(() => read(location));
  useEffect(() => {
    const follow = () => setPlace(read(location));
    addEventListener("popstate", follow);
    addEventListener(MOVED, follow);
    document.addEventListener("click", followLink);
    return () => {
      removeEventListener("popstate", follow);
      removeEventListener(MOVED, follow);
      document.removeEventListener("click", followLink);
    };
  }, []);
  return place;
}

// A plain click on a link of the viewer's own stays in this page; any other is the browser's.
function followLink(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target || link.hasAttribute("download"))
    return;
  if (link.origin !== location.origin || !/^\/(ui(\/.*)?)?$/.test(link.pathname)) return;
  event.preventDefault();
  go(link.pathname + link.search);
}
