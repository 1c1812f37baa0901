// What waits for review: its first case, or the good news that there is none.

import { useEffect } from "preact/hooks";
import { caseAddress, go } from "./address";
import { images } from "./datastore";
import { Heading } from "./heading";
import { useKeys } from "./keys";
import { forgetListing } from "./listing";
import { useAsked } from "./loading";
import { WAITING } from "./query";

export function Queue() {
  useEffect(forgetListing, []);
  const asked = useAsked(() => images({ ...WAITING, limit: 1 }), []);
  const first = asked.value?.images[0];
  useEffect(() => {
    if (first) go(caseAddress({ id: first.id, within: WAITING }), { replace: true });
  }, [first]);
  useKeys({ Escape: () => go("/ui/") });
  return (
    <div class="screen queue">
      <Heading />
      {asked.value && !first && (
        <section class="empty">
          <h2>Nothing waits for review</h2>
          <p>Every final label is approved or flagged.</p>
          <a class="button" href="/ui/">
            Back to the library
          </a>
        </section>
      )}
      {asked.error && (
        <section class="empty" role="alert">
          <h2>The queue could not be fetched</h2>
          <p>{asked.error.message}</p>
          <button type="button" class="button" onClick={asked.again}>
            Try again
          </button>
        </section>
      )}
    </div>
  );
}
