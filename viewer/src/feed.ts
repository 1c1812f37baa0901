// What happens in the datastore, as it happens: the server's events, from the moment the page was opened.

import type { Happening } from "./datastore";
import { notify, type Notice } from "./notices";
import { at, json } from "./server";

type Listener = (event: Happening) => void;

const RETRY = 3000; // ms
const LOST: Notice = { kind: "lost", text: "The server does not answer. What you see may be out of date." };
const listeners = new Set<Listener>();
let source: EventSource | null = null;
let last: number | null = null;
let lost: ((next?: Notice) => void) | null = null;

// Lists wait for this, so that nothing happens between them and the first event that is heard of.
export const ready: Promise<void> = begin();

export function follow(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// A page in the background gives its connection back: a browser has six for a host.
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : void begin()));

async function begin(): Promise<void> {
  try {
    const newest = (await json<{ last: number }>(at("/datastore/events", { limit: 1 }))).last;
    if (last !== null && newest < last) location.reload(); // another datastore lies there now
    last ??= newest;
    connect(last);
  } catch {
    lost ??= notify(LOST);
    setTimeout(begin, RETRY);
  }
}

function connect(after: number): void {
  if (source || document.hidden) return;
  source = new EventSource(at("/datastore/events/stream", { after: String(after) }));
  source.onmessage = (message) => tell(JSON.parse(message.data) as Happening);
  source.onopen = () => {
    lost?.();
    lost = null;
  };
  source.onerror = () => {
    disconnect();
    setTimeout(begin, RETRY);
  };
}

function disconnect(): void {
  source?.close();
  source = null;
}

function tell(event: Happening): void {
  last = Math.max(last ?? 0, event.seq);
  for (const listener of listeners) listener(event);
}
