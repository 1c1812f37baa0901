// A list of any length as tiles or lines: only what is in view is in the page.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Listing } from "./listing";

export interface Shape {
  columns: (width: number) => number;
  height: (width: number) => number; // of an entry that is `width` wide, in px
  gap: number;
}

export const TILES: Shape = {
  columns: (width) => Math.max(2, Math.floor((width + 16) / (width < 600 ? 172 : 220))),
  height: (width) => width + 84, // the picture and three lines of words
  gap: 16,
};
export const LINES: Shape = { columns: () => 1, height: () => 56, gap: 0 };

const AHEAD = 600; // px above and below the view that are drawn too
const STRIDE = 200; // px that are scrolled before the entries are drawn anew

interface Props {
  listing: Listing;
  shape: Shape;
  cursor: number;
  entry: (index: number) => ComponentChildren;
  drawn: () => void; // called whenever other entries are in the page
}

export function columnsOf(scroller: HTMLElement | null, shape: Shape): number {
  return shape.columns(scroller?.querySelector(".entries")?.clientWidth ?? 0);
}

export function Grid({ listing, shape, cursor, entry, drawn }: Props) {
  const element = useRef<HTMLDivElement>(null);
  const view = useView(element, listing);
  const columns = shape.columns(view.width);
  const width = (view.width - shape.gap * (columns - 1)) / columns;
  const step = shape.height(width) + shape.gap;
  const total = listing.total ?? 0;
  const first = Math.max(0, Math.floor((view.top - AHEAD) / step)) * columns;
  const end = Math.min(total, Math.ceil((view.top + view.height + AHEAD) / step) * columns);
  useEffect(() => listing.want(first, Math.max(first, end - 1)), [listing, first, end]);
  useEffect(drawn);
  useKeepInView(element, cursor, Math.floor(cursor / columns) * step, step, view.width > 0);
  const indices = view.width ? Array.from({ length: Math.max(0, end - first) }, (_, k) => first + k) : [];
  return (
    <div ref={element} class="entries" role="list" style={{ height: `${Math.ceil(total / columns) * step}px` }}>
      {indices.map((index) => (
        <div
          key={index}
          role="listitem"
          aria-setsize={total}
          aria-posinset={index + 1}
          class="entry"
          style={{
            width: `${width}px`,
            height: `${step - shape.gap}px`,
            transform: `translate(${(index % columns) * (width + shape.gap)}px, ${Math.floor(index / columns) * step}px)`,
          }}
        >
          {entry(index)}
        </div>
      ))}
    </div>
  );
}

// What of the list is in view, in px from its beginning.
function useView(element: { current: HTMLDivElement | null }, listing: Listing) {
  const [view, setView] = useState({ top: 0, height: 0, width: 0 });
  useLayoutEffect(() => {
    const list = element.current;
    const scroller = list?.closest<HTMLElement>(".scroller");
    if (!list || !scroller) return;
    let frame = 0;
    const look = () => {
      frame = 0;
      listing.top = scroller.scrollTop;
      const top = STRIDE * Math.floor((listing.top - list.offsetTop) / STRIDE);
      const now = { top, height: scroller.clientHeight + STRIDE, width: list.clientWidth };
      setView((old) => (old.top === now.top && old.height === now.height && old.width === now.width ? old : now));
    };
    const later = () => {
      frame ||= requestAnimationFrame(look);
    };
    const sizes = new ResizeObserver(later);
    sizes.observe(scroller);
    sizes.observe(scroller.firstElementChild!); // what stands above the list may grow
    scroller.addEventListener("scroll", later, { passive: true });
    const top = listing.top;
    look();
    requestAnimationFrame(() => scroller.scrollTo({ top }));
    return () => {
      sizes.disconnect();
      scroller.removeEventListener("scroll", later);
      cancelAnimationFrame(frame);
    };
  }, [listing]);
  return view;
}

// Scroll no further than needed for the entry that the keyboard is at, whenever that changes.
function useKeepInView(
  element: { current: HTMLDivElement | null },
  cursor: number,
  top: number,
  height: number,
  drawn: boolean,
): void {
  const before = useRef(cursor);
  useLayoutEffect(() => {
    const scroller = element.current?.closest<HTMLElement>(".scroller");
    if (!drawn || !scroller || before.current === cursor) return;
    before.current = cursor;
    const begin = top + (element.current?.offsetTop ?? 0);
    if (begin < scroller.scrollTop) scroller.scrollTop = begin - 16;
    else if (begin + height > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = begin + height - scroller.clientHeight;
  }, [cursor, drawn]);
}
