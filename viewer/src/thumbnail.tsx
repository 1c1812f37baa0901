// A small picture of a case, asked for once it has been in view for a moment.

import { useLayoutEffect, useState } from "preact/hooks";
import { picture, type Row } from "./datastore";
import { Icon } from "./icons";

const PAUSE = 60; // ms: rows that fly past while scrolling ask for nothing

export function Thumbnail({ row, size }: { row: Row; size: number }) {
  const tag = outlined(row);
  const address = picture(row.id, size, { tag, v: `${row.version}.${tag ? (row.labels[tag]?.version ?? "") : ""}` });
  const plain = picture(row.id, size, { v: String(row.version) }); // for a label that cannot be drawn
  const [source, setSource] = useState<string | null>(null);
  const [state, setState] = useState<"coming" | "there" | "none">("coming");
  useLayoutEffect(() => {
    const timer = setTimeout(() => setSource(address), PAUSE);
    return () => clearTimeout(timer);
  }, [address]);
  return (
    <span class={`thumbnail ${state}`}>
      {source && state !== "none" && (
        <img
          src={source}
          alt=""
          decoding="async"
          draggable={false}
          onLoad={() => setState("there")}
          onError={() => (tag && source !== plain ? setSource(plain) : setState("none"))}
        />
      )}
      {state === "none" && <Icon name="picture" />}
    </span>
  );
}

// The label whose outline is drawn: `final`, or the last one that was made.
export function outlined(row: Row): string | null {
  return row.tags.includes("final") ? "final" : (row.tags.at(-1) ?? null);
}
