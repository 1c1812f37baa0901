// What a reviewer says of a label, kept as MONAILabelReviewer keeps it: both show the same.

import { useRef, useState } from "preact/hooks";
import { review as save, type LabelInfo, type Review as Meta } from "./datastore";
import { useReadOnly } from "./home";
import { Icon, type IconName } from "./icons";
import { useKeys } from "./keys";
import type { Asked } from "./loading";
import type { Neighbours } from "./neighbours";
import { failed, notify } from "./notices";
import { who } from "./reviewer";
import { ago, moment } from "./words";

const LEVELS = ["easy", "medium", "hard"];

interface Props {
  id: string;
  tag: string | null;
  earlier: boolean; // an earlier version is shown
  info: Asked<LabelInfo>;
  neighbours: Neighbours;
  queue: boolean; // what waits for review is gone through
}

export function Review({ id, tag, earlier, info, neighbours, queue }: Props) {
  const comment = useRef<HTMLTextAreaElement>(null);
  const readOnly = useReadOnly();
  const ready = tag !== null && info.value !== null && !earlier && !readOnly;
  const { meta, draft, unsaved, setDraft, write } = useMeta(id, ready ? tag : null, info);
  const decide = async (status: "approved" | "flagged") => {
    const undone = meta.status === status;
    const word = status === "approved" ? "Approved" : "Flagged";
    const before = meta; // the whole of it, with who and when: undone, it is as if nothing had been decided
    const done = await write(
      { status: undone ? "" : status },
      undone ? `${id} is no longer ${status}.` : `${word} ${id}.`,
      () => void write({ status: "", ...before }, `${id} is as it was before.`),
    );
    if (done && queue && !undone) neighbours.next();
  };
  const level = (name: string) =>
    void write({ level: meta.level === name ? "" : name }, `Difficulty of ${id}: ${name}.`);
  useKeys({
    a: () => void decide("approved"),
    f: () => void decide("flagged"),
    c: () => comment.current?.focus(),
    "1": () => level("easy"),
    "2": () => level("medium"),
    "3": () => level("hard"),
  });
  if (tag === null)
    return (
      <section class="review">
        <h2>Review</h2>
        <p class="hint">There is no label yet. {!readOnly && "Drop a label's file on this page to add one."}</p>
      </section>
    );
  const typed = draft ?? text(meta.comment);
  return (
    <section class="review" aria-busy={!info.value}>
      <h2>
        Review <small>{tag}</small>
      </h2>
      {readOnly && <p class="hint">This server only shows the datastore; nothing can be changed here.</p>}
      {earlier && <p class="hint">This is not the current version; a review is about the current one.</p>}
      <div class="decide">
        <Decision
          name="approved"
          word="Approve"
          icon="approve"
          keyName="a"
          meta={meta}
          disabled={!ready}
          decide={decide}
        />
        <Decision name="flagged" word="Flag" icon="flag" keyName="f" meta={meta} disabled={!ready} decide={decide} />
      </div>
      <div class="levels switch" role="group" aria-label="difficulty">
        {LEVELS.map((name) => (
          <button
            key={name}
            type="button"
            disabled={!ready}
            aria-pressed={meta.level === name}
            onClick={() => level(name)}
          >
            {name}
          </button>
        ))}
      </div>
      <textarea
        ref={comment}
        name="comment"
        aria-label="comment"
        placeholder="Comment"
        title="Enter or leaving the field saves, Escape takes back"
        rows={2}
        maxLength={4000}
        disabled={!ready}
        value={typed}
        onInput={(event) => setDraft(event.currentTarget.value)}
        onBlur={(event) => event.currentTarget.value !== text(meta.comment) && void write({}, "Comment saved.")}
        onKeyDown={(event) => {
          const field = event.currentTarget;
          if (event.key === "Escape") {
            field.value = text(meta.comment);
            setDraft(null);
          } else if (event.key !== "Enter" || event.shiftKey) return;
          event.preventDefault();
          field.blur(); // which saves what is new
        }}
      />
      {unsaved && draft !== null && (
        <p class="hint warning" role="alert">
          This comment is not saved.{" "}
          <button type="button" class="quiet" onClick={() => void write({}, "Comment saved.")}>
            Save it
          </button>
        </p>
      )}
      <Said meta={meta} />
    </section>
  );
}

interface Kept {
  meta: Partial<Meta>;
  draft: string | null; // a comment that is being written
  unsaved: boolean; // it was to be kept, and the server did not
  setDraft: (draft: string | null) => void;
  // Once what was written before is kept, write this too; say that it is done, and offer to undo it.
  write: (part: Partial<Meta>, done: string, undo?: () => void) => Promise<boolean>;
}

function useMeta(id: string, tag: string | null, info: Asked<LabelInfo>): Kept {
  const [draft, setDraft] = useState<string | null>(null);
  const [unsaved, setUnsaved] = useState(false);
  const [saved, setSaved] = useState<{ meta: Meta; after: LabelInfo | null } | null>(null);
  const isNewer = saved !== null && saved.after === info.value; // than what the server was last heard to say
  const meta = (isNewer ? saved.meta : info.value?.segmentationMeta) ?? {};
  const now = useRef({ meta, draft, info: info.value });
  now.current = { meta, draft, info: info.value };
  const last = useRef(Promise.resolve(true));
  const put = async (part: Partial<Meta>, done: string, undo?: () => void): Promise<boolean> => {
    const client = tag && (await who());
    if (!client) return false;
    const { status, level, comment } = now.current.meta;
    const words = now.current.draft;
    const next: Meta = {
      status: text(status),
      level: text(level),
      comment: words ?? text(comment),
      approvedBy: client,
      editTime: Math.floor(Date.now() / 1000),
      ...part,
    };
    try {
      await save(id, tag, next, client);
    } catch (error) {
      failed(error);
      setUnsaved(true);
      return false;
    }
    notify({ kind: "done", text: done, ...(undo && { action: { word: "Undo", run: undo } }) });
    setUnsaved(false);
    now.current = { ...now.current, meta: next };
    setSaved({ meta: next, after: now.current.info });
    setDraft((later) => (later === words ? null : later));
    info.again();
    return true;
  };
  const write: Kept["write"] = (...what) => (last.current = last.current.then(() => put(...what)));
  return { meta, draft, unsaved, setDraft, write };
}

interface DecisionProps {
  name: "approved" | "flagged";
  word: string;
  icon: IconName;
  keyName: string;
  meta: Partial<Meta>;
  disabled: boolean;
  decide: (status: "approved" | "flagged") => Promise<void>;
}

function Decision({ name, word, icon, keyName, meta, disabled, decide }: DecisionProps) {
  return (
    <button
      type="button"
      class={`decision ${name}`}
      aria-pressed={meta.status === name}
      disabled={disabled}
      onClick={() => void decide(name)}
    >
      <Icon name={icon} />
      {word}
      <kbd>{keyName}</kbd>
    </button>
  );
}

function Said({ meta }: { meta: Partial<Meta> }) {
  if (!meta.approvedBy && !meta.editTime) return null;
  const time = when(meta.editTime);
  return (
    <p class="said">
      {text(meta.approvedBy)}
      {time && <time title={moment(time)}> · {ago(time)}</time>}
    </p>
  );
}

// MONAILabelReviewer writes seconds; others write what they like.
function when(time: unknown): string | null {
  if (typeof time === "number" || (typeof time === "string" && /^\d+$/.test(time)))
    return new Date(Number(time) * 1000).toISOString();
  return typeof time === "string" && time ? time : null;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
