// A word when somebody else saves the label that one is looking at: the picture changes under the reviewer's eyes.

import { useEffect, useRef } from "preact/hooks";
import { caseAddress, go, type CasePlace } from "./address";
import type { Version } from "./datastore";
import { notify } from "./notices";
import { name } from "./reviewer";

export function useOvertaken(place: CasePlace, tag: string | null, versions: Version[] | null): void {
  const here = useRef(place);
  here.current = place;
  const seen = useRef<{ tag: string; version: number } | null>(null);
  const told = useRef<(() => void) | null>(null);
  useEffect(() => () => told.current?.(), []); // it is about this case alone
  const newest = versions?.find((version) => version.current);
  const isKept = (number: number) => versions?.some((version) => version.version === number && version.kept);
  useEffect(() => {
    if (!tag || !newest) return;
    const before = seen.current;
    seen.current = { tag, version: newest.version };
    if (before?.tag !== tag || newest.version <= before.version || newest.actor === name()) return;
    const compare = () =>
      go(caseAddress({ ...here.current, tag, version: null, against: { tag, version: before.version } }), {
        replace: true,
      });
    const by = newest.actor === "unknown" ? "Another program" : newest.actor;
    told.current?.();
    told.current = notify({
      kind: "news",
      text: `${by} has just saved version ${newest.version} of ${tag}.`,
      action: isKept(before.version) ? { word: "What differs", run: compare } : undefined,
    });
  }, [tag, newest?.version]);
}
