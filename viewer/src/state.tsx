// The state of a case, as a sign with a word: never by colour alone.

import type { State } from "./datastore";
import { Icon } from "./icons";

export const WORDS: Record<State, string> = {
  unlabelled: "Unlabelled",
  labelled: "Labelled",
  approved: "Approved",
  flagged: "Flagged",
};

export function StateSign({ state }: { state: State }) {
  return (
    <span class={`state ${state}`}>
      {state === "approved" ? <Icon name="approve" /> : state === "flagged" ? <Icon name="flag" /> : <i class="dot" />}
      {WORDS[state] ?? state}
    </span>
  );
}
