// What happened to a case, and who did it, the newest first.

import { bringBack } from "./bringing";
import { restore, type Happening, type LabelInfo, type Row } from "./datastore";
import { useReadOnly } from "./home";
import { Icon } from "./icons";
import type { Asked } from "./loading";
import { ago, moment } from "./words";

const FEW = 8;

const WORDS: Record<string, string> = {
  added: "added",
  replaced: "replaced",
  removed: "removed",
  restored: "brought back",
  refused: "came too late with",
  expected: "expects in the folder:",
  pruned: "cleared away",
  set: "set the info of",
  found: "found in the folder:",
  missing: "missed in the folder:",
  back: "found again:",
  changed: "found changed:",
};

export function History({ events, row }: { events: Asked<Happening[]>; row: Row | null }) {
  const readOnly = useReadOnly();
  if (events.error) return null;
  const all = events.value ?? [];
  const removals = row && !readOnly ? lastRemovals(all, row.tags) : new Set<number>();
  return (
    <section class="history">
      <h2>History</h2>
      <ol>
        {all.slice(0, FEW).map((event) => (
          <Line key={event.seq} event={event} undo={removals.has(event.seq)} />
        ))}
      </ol>
      {all.length > FEW && (
        <details>
          <summary>{all.length - FEW} more</summary>
          <ol>
            {all.slice(FEW).map((event) => (
              <Line key={event.seq} event={event} undo={removals.has(event.seq)} />
            ))}
          </ol>
        </details>
      )}
    </section>
  );
}

// The numbers of the events that removed a label which is not there again since.
function lastRemovals(events: Happening[], tags: string[]): Set<number> {
  const last = new Map<string, number>();
  for (const { action, tag, seq, version } of events)
    if (action === "removed" && tag && version !== null && !tags.includes(tag) && !last.has(tag)) last.set(tag, seq);
  return new Set(last.values());
}

function Line({ event, undo }: { event: Happening; undo: boolean }) {
  const { image, tag, version } = event;
  const back = () =>
    bringBack((client) => restore(image, tag, version!, client), `${tag} is there again, as in version ${version}.`);
  return (
    <li>
      <span>
        <b>{event.actor}</b> {deed(event)}{" "}
        {tag ? <i>{tag}</i> : "the image"}
        {version != null && <small> version {version}</small>}
      </span>
      {undo && (
        <button type="button" class="quiet" title={`Bring ${tag} back`} onClick={() => void back()}>
          <Icon name="undo" />
        </button>
      )}
      <time title={moment(event.time)}>{ago(event.time)}</time>
    </li>
  );
}

const SOME = 3; // keys that are named; of more the line would be nothing but keys

function deed(event: Happening): string {
  if (event.action !== "updated") return WORDS[event.action] ?? event.action;
  const keys = differing(event.old ?? {}, event.new ?? {});
  if (keys.length === 1 && keys[0] === "strategy") return "was handed";
  if (keys.length === 1 && keys[0] === "segmentationMeta") return review(event.old ?? {}, event.new ?? {});
  return keys.length && keys.length <= SOME ? `changed ${keys.join(", ")} of` : "changed the info of";
}

function review(old: LabelInfo, now: LabelInfo): string {
  const was = old.segmentationMeta ?? {};
  const is = now.segmentationMeta ?? {};
  if (is.status && is.status !== was.status) return is.status;
  if (was.status && !is.status) return "took back the review of";
  const keys = differing(was, is);
  return keys.includes("comment") ? "commented on" : keys.includes("level") ? "rated" : "reviewed";
}

function differing(old: object, now: object): string[] {
  const [was, is] = [new Map(Object.entries(old)), new Map(Object.entries(now))];
  return [...new Set([...was.keys(), ...is.keys()])].filter(
    (key) => key !== "ts" && JSON.stringify(was.get(key)) !== JSON.stringify(is.get(key)),
  );
}
