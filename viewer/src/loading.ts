// What a component has asked for: still coming, there, or why not.

import { useCallback, useLayoutEffect, useState } from "preact/hooks";

export interface Asked<T> {
  value: T | null;
  error: Error | null;
  again: () => void;
}

// Ask, and ask again when one of `inputs` changes; a value is kept until the next one of the same inputs has come.
export function useAsked<T>(question: () => Promise<T>, inputs: unknown[]): Asked<T> {
  const [turn, setTurn] = useState(0);
  const [found, setFound] = useState<{ inputs: string; value: T | null; error: Error | null } | null>(null);
  const key = JSON.stringify(inputs);
  // Before the page is painted, which a busy machine may take a tenth of a second for.
  useLayoutEffect(() => {
    let current = true;
    question().then(
      (value) => current && setFound({ inputs: key, value, error: null }),
      (error: Error) => current && setFound({ inputs: key, value: null, error }),
    );
    return () => {
      current = false;
    };
  }, [key, turn]);
  const again = useCallback(() => setTurn((n) => n + 1), []);
  const matching = found?.inputs === key ? found : null;
  return { value: matching?.value ?? null, error: matching?.error ?? null, again };
}
