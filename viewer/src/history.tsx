// What happened to a case, and who did it, the newest first.

import type { Happening } from "./datastore";
import type { Asked } from "./loading";
import { ago, moment } from "./words";

const FEW = 8;

const WORDS: Record<string, string> = {
  added: "added",
  replaced: "replaced",
  removed: "removed",
  restored: "brought back",
  updated: "changed the info of",
  set: "set the info of",
  found: "found in the folder:",
  missing: "missed in the folder:",
  back: "found again:",
  changed: "found changed:",
};

export function History({ events }: { events: Asked<Happening[]> }) {
  if (events.error) return null;
  const all = events.value ?? [];
  return (
    <section class="history">
      <h2>History</h2>
      <ol>
        {all.slice(0, FEW).map((event) => (
          <Line key={event.seq} event={event} />
        ))}
      </ol>
      {all.length > FEW && (
        <details>
          <summary>{all.length - FEW} more</summary>
          <ol>
            {all.slice(FEW).map((event) => (
              <Line key={event.seq} event={event} />
            ))}
          </ol>
        </details>
      )}
    </section>
  );
}

function Line({ event }: { event: Happening }) {
  return (
    <li>
      <span>
        <b>{event.actor ?? "unknown"}</b> {WORDS[event.action] ?? event.action}{" "}
        {event.tag ? <i>{event.tag}</i> : "the image"}
        {event.version != null && <small> version {event.version}</small>}
      </span>
      <time title={moment(event.time)}>{ago(event.time)}</time>
    </li>
  );
}
