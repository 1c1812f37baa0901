// Questions that the page asks: who works here, and which keys there are.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useKeys } from "./keys";
import { askWith, name, rename } from "./reviewer";

let ask: () => Promise<string | null> = () => Promise.resolve(null);

export function askForName(): Promise<string | null> {
  return ask();
}

export function Dialog({ open, close, children }: { open: boolean; close: () => void; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  const ours = useRef(0); // closings that we asked for: they are told late, when it may be open again
  useEffect(() => {
    if (open) element.current?.showModal();
    else if (element.current?.open) {
      ours.current++;
      element.current.close();
    }
  }, [open]);
  const closed = () => (ours.current ? ours.current-- : close());
  return (
    <dialog ref={element} onClose={closed} onClick={(event) => event.target === element.current && close()}>
      {open && children}
    </dialog>
  );
}

export function NameDialog() {
  const [answer, setAnswer] = useState<((given: string | null) => void) | null>(null);
  useEffect(() => {
    ask = () => new Promise((resolve) => setAnswer(() => resolve));
    askWith(ask);
  }, []);
  const finish = (given: string | null) => {
    if (given) rename(given);
    answer?.(given);
    setAnswer(null);
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement).get("name");
    if (typeof given === "string" && given.trim()) finish(given.trim());
  };
  return (
    <Dialog open={answer !== null} close={() => finish(null)}>
      <form onSubmit={submit}>
        <h2>Who are you?</h2>
        <p>Your name is kept in this browser and written beside what you review and save.</p>
        <input name="name" aria-label="your name" autocomplete="name" maxLength={100} defaultValue={name()} required />
        <p class="actions">
          <button type="button" class="quiet" onClick={() => finish(null)}>
            Not now
          </button>
          <button type="submit" class="button">
            That's me
          </button>
        </p>
      </form>
    </Dialog>
  );
}

const KEYS: [string, [string, string][]][] = [
  [
    "Library",
    [
      ["/", "search"],
      ["arrows", "move, Enter opens"],
      ["g  t", "grid, table"],
      ["r", "review what waits"],
      ["Esc", "all cases again"],
    ],
  ],
  [
    "Case",
    [
      ["n  p", "next, previous"],
      ["a", "approve"],
      ["f", "flag"],
      ["c", "comment, Enter saves"],
      ["1 2 3", "easy, medium, hard"],
      ["Esc", "back to the library"],
    ],
  ],
  [
    "Picture",
    [
      ["v", "planes and 3-D, one after the other"],
      ["↑ ↓", "through the slices"],
      ["← →", "sideways"],
      ["PgUp PgDn", "forwards, backwards"],
      ["⇧ arrows", "turn the 3-D view"],
      ["+  −  0", "larger, smaller, fit"],
      ["l", "label on or off"],
      ["o", "outline or filled"],
      ["[  ]", "one structure at a time"],
      ["w", "whole window again"],
    ],
  ],
];

let openKeys: () => void = () => undefined;

export function showKeys(): void {
  openKeys();
}

export function KeysDialog() {
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  useEffect(() => {
    openKeys = () => setOpen(true);
  }, []);
  useKeys({ "?": () => setOpen(true) });
  return (
    <Dialog open={open} close={close}>
      <div class="keys">
        {KEYS.map(([screen, keys]) => (
          <section key={screen}>
            <h2>{screen}</h2>
            <dl>
              {keys.map(([key, what]) => (
                <div key={key}>
                  <dt>
                    <kbd>{key}</kbd>
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p class="actions">
        <button type="button" class="button" onClick={close}>
          Close
        </button>
      </p>
    </Dialog>
  );
}
