// Keys that do something: those of the screen that is shown, unless somebody is typing.

import { useLayoutEffect, useRef } from "preact/hooks";

export type Keys = Record<string, (event: KeyboardEvent) => void>;

const TYPING =
  'input:not([type="range"]):not([type="checkbox"]):not([type="radio"]), textarea, select, [contenteditable]';

export function useKeys(keys: Keys): void {
  const current = useRef(keys);
  current.current = keys;
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const target = event.target instanceof Element ? event.target : null;
      if (target?.closest(TYPING) || document.querySelector("dialog[open]")) return;
      if (/^Arrow|^Page|^Home|^End/.test(event.key) && target?.matches('[type="range"]')) return;
      if ((event.key === "Enter" || event.key === " ") && target?.closest("a, button, summary, label")) return;
      const action = current.current[event.key];
      if (!action) return;
      event.preventDefault();
      event.stopPropagation(); // NiiVue has keys of its own
      action(event);
    };
    addEventListener("keydown", press, { capture: true });
    return () => removeEventListener("keydown", press, { capture: true });
  }, []);
}
