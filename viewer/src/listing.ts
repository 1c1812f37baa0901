// The rows of a list, fetched page by page where it is looked at, and again when something changed.

import { images, type Asking, type Page, type Row } from "./datastore";
import { follow, ready } from "./feed";
import { format, type Query } from "./query";

const PAGE = 100; // rows of a page
const LEAP = 1000; // rows of a request on the way to a row of which only the id is known
const PAUSE = 300; // ms in which several events make one request
const SPACING = 50; // ms between two looks at what has come into view, while the list is dragged past many pages

interface Part {
  stale: boolean;
  request: AbortController | null; // under way
}

// Pages are known by their place and come in any order; what is known stays while it is asked for again.
export class Listing {
  total: number | null = null;
  error: Error | null = null;
  top = 0; // where the list was scrolled to
  cursor = 0; // the row that the keyboard is at
  private rows = new Map<number, Row>();
  private places = new Map<string, number>();
  private parts = new Map<number, Part>(); // by the place of their first row
  private ends = new Map<number, string | null>(); // by the place after a page: what the next one is asked for with
  private newest = 0; // the event as of which `total` is
  private wanted: [number, number] = [0, 0];
  private listeners = new Set<() => void>();
  private looking = 0;
  private renewing = 0;
  private unfollow: () => void;

  constructor(readonly query: Query) {
    this.unfollow = follow(() => {
      for (const part of this.parts.values()) part.stale = true;
      this.renew();
    });
  }

  close(): void {
    this.unfollow();
    clearTimeout(this.looking);
    clearTimeout(this.renewing);
    for (const part of this.parts.values()) cancel(part);
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // Have the rows from `first` to `last` fetched, and no others; listeners are told when they are there.
  want(first: number, last: number): void {
    this.wanted = [first, last];
    for (const [start, part] of this.parts) if (!this.isWanted(start)) cancel(part);
    if (!this.looking) this.look();
  }

  retry(): void {
    this.error = null;
    this.look();
  }

  row(index: number): Row | undefined {
    return this.rows.get(index);
  }

  place(id: string): number {
    return this.places.get(id) ?? -1;
  }

  // Find a row that may not have been fetched yet; -1 where the list has none of that id.
  async find(id: string): Promise<number> {
    if (this.place(id) >= 0 || !(await this.ask({ id, limit: 1 }))?.total) return this.place(id);
    for (let start = 0; start < (this.total ?? 1) && this.place(id) < 0; start += LEAP) {
      const page = await this.ask({ skip: start, limit: LEAP });
      if (!page) break;
      this.keep(start, page);
    }
    return this.place(id);
  }

  // Give the row after those known, too, as the list was when these were fetched, though it may have changed since.
  async reach(index: number): Promise<Row | undefined> {
    const after = this.ends.get(index);
    if (this.rows.has(index) || index < 0 || after === null) return this.rows.get(index);
    const start = after ? index : index - (index % PAGE);
    const page = await this.ask(after ? { after, limit: PAGE } : { skip: start, limit: PAGE });
    if (page) this.keep(start, page, after !== undefined);
    return this.rows.get(index);
  }

  private async ask(part: Omit<Asking, keyof Query>, signal?: AbortSignal): Promise<Page | null> {
    try {
      await ready;
      return await images({ ...this.query, ...part }, signal);
    } catch (error) {
      if (!signal?.aborted) this.error = error as Error;
      return null;
    }
  }

  private isWanted(start: number): boolean {
    return start <= this.wanted[1] && start + PAGE > this.wanted[0];
  }

  private renew(): void {
    this.renewing ||= window.setTimeout(() => {
      this.renewing = 0;
      if (this.listeners.size) this.look();
    }, PAUSE);
  }

  // Ask for what is in view and not known, or no longer true.
  private look(): void {
    clearTimeout(this.looking);
    this.looking = 0;
    const [first, last] = this.wanted;
    for (let start = first - (first % PAGE); start <= last && !this.error; start += PAGE) {
      const part = this.parts.get(start);
      if (part && (part.request || !part.stale)) continue;
      void this.fetch(start);
      this.looking ||= window.setTimeout(() => this.look(), SPACING);
    }
  }

  private async fetch(start: number): Promise<void> {
    const request = new AbortController();
    const part: Part = { stale: false, request };
    this.parts.set(start, part);
    const page = await this.ask({ skip: start, limit: PAGE }, request.signal);
    if (request.signal.aborted) return;
    part.request = null;
    if (page) this.keep(start, page);
    else part.stale = true;
    if (part.stale) this.renew(); // something happened meanwhile
    for (const listener of this.listeners) listener();
  }

  private keep(start: number, page: Page, later = false): void {
    page.images.forEach((row, k) => this.put(start + k, row));
    this.ends.set(start + page.images.length, page.next);
    if (!later && page.seq >= this.newest) this.count(page.total, page.seq);
  }

  private put(index: number, row: Row): void {
    this.drop(index);
    this.rows.set(index, row);
    this.places.set(row.id, index);
  }

  private drop(index: number): void {
    const id = this.rows.get(index)?.id;
    if (id !== undefined && this.places.get(id) === index) this.places.delete(id);
    this.rows.delete(index);
  }

  private count(total: number, seq: number): void {
    if (total < (this.total ?? 0)) for (const index of [...this.rows.keys()]) if (index >= total) this.drop(index);
    this.total = total;
    this.newest = seq;
  }
}

function cancel(part: Part): void {
  if (!part.request) return;
  part.request.abort();
  part.request = null;
  part.stale = true;
}

let kept: Listing | null = null;

// The list of a query; the last one is kept, so that a case knows its neighbours and the library its place.
export function listingOf(query: Query): Listing {
  if (kept && format(kept.query) === format(query)) return kept;
  kept?.close();
  kept = new Listing(query);
  return kept;
}

// Have the next list fetched anew: cases may have left it.
export function forgetListing(): void {
  kept?.close();
  kept = null;
}
