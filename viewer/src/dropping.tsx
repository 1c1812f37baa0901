// Files that are dragged over the page, and what is done with them when they are dropped.

import { useEffect, useRef, useState } from "preact/hooks";
import { useReadOnly } from "./home";
import { notify } from "./notices";

// Take files dropped anywhere in the page; true while some are held over it.
export function useDropping(take: (files: File[]) => void): boolean {
  const [over, setOver] = useState(false);
  const readOnly = useReadOnly();
  const current = useRef(take);
  current.current = readOnly ? refuse : take;
  useEffect(() => {
    let depth = 0; // of elements that the pointer has come into
    const carries = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent) => carries(event) && setOver(++depth > 0);
    const leave = (event: DragEvent) => carries(event) && setOver(--depth > 0);
    const hold = (event: DragEvent) => carries(event) && event.preventDefault();
    const drop = (event: DragEvent) => {
      if (!carries(event)) return;
      event.preventDefault();
      event.stopPropagation();
      depth = 0;
      setOver(false);
      current.current([...(event.dataTransfer?.files ?? [])]);
    };
    const options = { capture: true };
    addEventListener("dragenter", enter, options);
    addEventListener("dragleave", leave, options);
    addEventListener("dragover", hold, options);
    addEventListener("drop", drop, options);
    return () => {
      removeEventListener("dragenter", enter, options);
      removeEventListener("dragleave", leave, options);
      removeEventListener("dragover", hold, options);
      removeEventListener("drop", drop, options);
    };
  }, []);
  return over && !readOnly;
}

function refuse(): void {
  notify({ kind: "failed", text: "This server only shows the datastore; nothing was added." });
}
