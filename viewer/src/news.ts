// What a component has done when something happened: once for each burst of the server's events.

import { useEffect, useRef } from "preact/hooks";
import { follow } from "./feed";

// `pause` is in ms, from the first event of a burst; `image`: only events about that one.
export function useNews(action: () => void, pause: number, image: string | null = null): void {
  const current = useRef(action);
  current.current = action;
  useEffect(() => {
    let timer = 0;
    const stop = follow((event) => {
      if (image !== null && event.image !== image) return;
      timer ||= window.setTimeout(() => {
        timer = 0;
        current.current();
      }, pause);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [pause, image]);
}
