// Under the picture: which planes, how strong the label is, the window.

import { Icon } from "./icons";
import { LAYOUTS, type Layout, type Look } from "./look";
import type { Window } from "./stage";

const NAMES: Record<Layout, string> = {
  all: "All",
  axial: "Axial",
  coronal: "Coronal",
  sagittal: "Sagittal",
  render: "3-D",
};

interface Props {
  layout: Layout;
  setLayout: (layout: Layout) => void;
  look: Look;
  setLook: (look: Look) => void;
  window: { now: Window; usual: Window; range: Window } | null;
  setWindow: (window: Window) => void;
}

export function Toolbar({ layout, setLayout, look, setLook, window, setWindow }: Props) {
  return (
    <div class="toolbar" role="toolbar" aria-label="view">
      <div class="switch" role="group" aria-label="planes">
        {LAYOUTS.map((known) => (
          <button key={known} type="button" aria-pressed={layout === known} onClick={() => setLayout(known)}>
            {NAMES[known]}
          </button>
        ))}
      </div>
      <label class="slider">
        <span>Label</span>
        <input
          type="range"
          name="opacity"
          min="0"
          max="1"
          step="0.05"
          value={look.opacity}
          onInput={(event) => setLook({ ...look, opacity: Number(event.currentTarget.value) })}
        />
      </label>
      <label class="check">
        <input
          type="checkbox"
          name="outline"
          checked={look.outline}
          onChange={(event) => setLook({ ...look, outline: event.currentTarget.checked })}
        />
        <span>Outline</span>
      </label>
      {window && <WindowFields {...window} setWindow={setWindow} />}
    </div>
  );
}

function WindowFields({
  now,
  usual,
  range,
  setWindow,
}: {
  now: Window;
  usual: Window;
  range: Window;
  setWindow: (window: Window) => void;
}) {
  const [low, high] = now;
  const step = (range[1] - range[0]) / 200 || 1;
  const field = (name: string, value: number, put: (value: number) => Window) => (
    <input
      type="number"
      name={name}
      aria-label={name}
      step={rounded(step)}
      value={rounded(value)}
      onChange={(event) => {
        const given = put(Number(event.currentTarget.value));
        if (given[0] < given[1]) setWindow(given);
        else event.currentTarget.value = String(rounded(value));
      }}
    />
  );
  return (
    <div class="window" role="group" aria-label="window">
      <span>Window</span>
      {field("window low", low, (value) => [value, high])}
      <span>–</span>
      {field("window high", high, (value) => [low, value])}
      <button
        type="button"
        class="quiet"
        title="Whole window again (w); drag with the right button to change it"
        aria-label="window again"
        onClick={() => setWindow(usual)}
      >
        <Icon name="undo" />
      </button>
    </div>
  );
}

const rounded = (value: number): number => Number(value.toPrecision(4));
