// The rows of a list, fetched page by page as they come into view, and again when something changed.

import { images, type Row } from "./datastore";
import { follow, ready } from "./feed";
import { format, type Query } from "./query";

const PAGE = 200; // rows of a page
const LEAP = 1000; // rows of a page on the way to a far place
const PAUSE = 300; // ms in which several events make one request

interface Mark {
  start: number;
  cursor: string | null; // what the page that begins here is asked for with
  stale: boolean;
}

// A cursor leads to the page after it alone, so the rows known are always the first ones of the list, without a gap.
export class Listing {
  readonly rows: Row[] = [];
  total: number | null = null;
  error: Error | null = null;
  top = 0; // where the list was scrolled to
  cursor = 0; // the row that the keyboard is at
  private marks: Mark[] = [];
  private next: string | null = null;
  private wanted: [number, number] = [0, 0];
  private step: Promise<void> | null = null; // the request that is under way
  private listeners = new Set<() => void>();
  private timer = 0;
  readonly close: () => void;

  constructor(readonly query: Query) {
    this.close = follow(() => {
      for (const mark of this.marks) mark.stale = true;
      this.timer ||= window.setTimeout(() => {
        this.timer = 0;
        if (this.listeners.size) void this.work();
      }, PAUSE);
    });
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // Have the rows from `first` to `last` fetched; listeners are told when they are there.
  want(first: number, last: number): void {
    this.wanted = [first, last];
    void this.work();
  }

  retry(): void {
    this.error = null;
    void this.work();
  }

  place(id: string): number {
    return this.rows.findIndex((row) => row.id === id);
  }

  // Find a row that may not have been fetched yet; -1 where the list has none of that id.
  async find(id: string): Promise<number> {
    while (this.place(id) < 0 && this.open && !this.error) await this.reach(this.rows.length + LEAP - 1);
    return this.place(id);
  }

  async reach(index: number): Promise<Row | undefined> {
    while (index >= this.rows.length && this.open && !this.error) {
      await (this.step ?? this.take(() => this.append(index)));
    }
    return this.rows[index];
  }

  private get open(): boolean {
    return this.total === null || this.next !== null;
  }

  private async work(): Promise<void> {
    while (!this.step && !this.error) {
      const stale = this.marks.find(
        (mark, k) => mark.stale && this.isWanted(mark.start, this.marks[k + 1]?.start ?? this.rows.length),
      );
      const missing = this.open && this.wanted[1] >= this.rows.length;
      if (!stale && !missing) return;
      await this.take(() => (stale ? this.renew(stale) : this.append(this.wanted[1])));
    }
  }

  private isWanted(start: number, end: number): boolean {
    return start <= this.wanted[1] && (end > this.wanted[0] || start === end);
  }

  private take(action: () => Promise<void>): Promise<void> {
    this.step = ready
      .then(action)
      .catch((error: Error) => {
        this.error = error;
      })
      .then(() => {
        this.step = null;
        for (const listener of this.listeners) listener();
      });
    return this.step;
  }

  private async append(target: number): Promise<void> {
    const start = this.rows.length;
    const cursor = start ? this.next : null;
    const mark = { start, cursor, stale: false };
    const page = await images(this.query, cursor, target - start > 2 * PAGE ? LEAP : PAGE);
    if (start || !this.marks.length) this.marks.push(mark);
    this.rows.push(...page.images);
    this.next = page.next;
    this.total = page.total;
  }

  // Fetch a page again. Where it ends elsewhere than before, what followed it is forgotten.
  private async renew(mark: Mark): Promise<void> {
    mark.stale = false;
    const following = this.marks[this.marks.indexOf(mark) + 1];
    const count = (following?.start ?? this.rows.length) - mark.start;
    const page = await images(this.query, mark.cursor, Math.max(count, PAGE));
    const same = page.images.length === count && page.next === (following ? following.cursor : this.next);
    this.rows.splice(mark.start, same ? count : Infinity, ...page.images);
    this.total = page.total;
    if (same) return;
    this.marks.splice(this.marks.indexOf(mark) + 1);
    this.next = page.next;
  }
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
