// Short words at the edge of the page about what was just done, or why it was not.

import { useEffect, useState } from "preact/hooks";

export interface Notice {
  text: string;
  kind: "done" | "news" | "failed" | "asking" | "going" | "lost";
  progress?: number;
  action?: { word: string; run: () => void };
}

const STAY = { done: 5000, news: 15_000, failed: 12_000, asking: 60_000, going: Infinity, lost: Infinity }; // ms
const shown = new Map<number, Notice>();
const listeners = new Set<() => void>();
let count = 0;

// Show a notice; the function that comes back replaces it (or, given nothing, takes it away).
export function notify(notice: Notice): (next?: Notice) => void {
  const key = count++;
  const show = (next?: Notice) => {
    if (!next) return hide(key);
    shown.set(key, next);
    if (Number.isFinite(STAY[next.kind])) setTimeout(() => shown.get(key) === next && hide(key), STAY[next.kind]);
    for (const listener of listeners) listener();
  };
  show(notice);
  return show;
}

function hide(key: number): void {
  shown.delete(key);
  for (const listener of listeners) listener();
}

export function failed(error: unknown): void {
  notify({ kind: "failed", text: error instanceof Error ? error.message : String(error) });
}

export function Notices() {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((n) => n + 1);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return (
    <div class="notices" role="status" aria-live="polite">
      {[...shown].map(([key, notice]) => (
        <div key={key} class={`notice ${notice.kind}`}>
          <span>{notice.text}</span>
          {notice.progress !== undefined && <progress value={notice.progress} />}
          {notice.action && (
            <button
              type="button"
              onClick={() => {
                hide(key);
                notice.action?.run();
              }}
            >
              {notice.action.word}
            </button>
          )}
        </div>
      ))}
    </div>
  );
}
