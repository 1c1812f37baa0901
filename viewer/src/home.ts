// What the server says of itself: the datastore's name, and whether it may be changed here. Known to all, once asked.

import { useLayoutEffect, useState } from "preact/hooks";
import { info, type Info } from "./datastore";

let known: Info | null = null;
const listeners = new Set<() => void>();

export async function askHome(): Promise<void> {
  known = await info().catch(() => known); // that the server does not answer is told by who asks it for cases
  for (const listener of listeners) listener();
}

export function useHome(): Info | null {
  const [, redraw] = useState(0);
  useLayoutEffect(() => {
    const listener = () => redraw((n) => n + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return known;
}

export const useReadOnly = (): boolean => useHome()?.read_only ?? false;
