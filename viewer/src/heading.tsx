// The bar at the top: the datastore's name, what the screen puts there, who works here, light or dark.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { askForName, showKeys } from "./dialogs";
import { askHome, useHome } from "./home";
import { Icon } from "./icons";
import { listen, name } from "./reviewer";
import { apply, following, theme } from "./theme";

export function Heading({ title, children }: { title?: string; children?: ComponentChildren }) {
  const about = useHome();
  useEffect(() => void askHome(), []);
  useEffect(() => {
    if (about) document.title = title ? `${title} – ${about.name}` : about.name;
  }, [about, title]);
  return (
    <header class="heading">
      <a class="brand" href="/ui/" title={about?.description}>
        {about?.name ?? "…"}
      </a>
      {children}
      <div class="tools">
        {about?.read_only && <small class="read-only">read-only</small>}
        <button type="button" class="quiet help" title="Keys (?)" aria-label="keys" onClick={showKeys}>
          <Icon name="keys" />
        </button>
        <Themes />
        <Person />
      </div>
    </header>
  );
}

function Themes() {
  const [chosen, setChosen] = useState(theme);
  const next = () => {
    apply(following(chosen));
    setChosen(following(chosen));
  };
  return (
    <button type="button" class="quiet" title={`Colours: ${chosen}`} aria-label={`colours: ${chosen}`} onClick={next}>
      <Icon name={chosen} />
    </button>
  );
}

function Person() {
  const [, redraw] = useState(0);
  useEffect(() => listen(() => redraw((n) => n + 1)), []);
  const known = name();
  return (
    <button
      type="button"
      class="quiet person"
      title={known ? `You are ${known}` : "Say who you are"}
      onClick={() => void askForName()}
    >
      {known ? <i>{[...known][0]?.toUpperCase()}</i> : <Icon name="person" />}
      <span>{known}</span>
    </button>
  );
}
