// Under the picture: which planes, how strong the label is, the window.

import { Icon } from "./icons";
import { LAYOUTS, type Layout, type View, type Window, type Windows } from "./look";

const NAMES: Record<Layout, string> = {
  all: "All",
  axial: "Axial",
  coronal: "Coronal",
  sagittal: "Sagittal",
  render: "3-D",
};

export function Toolbar({ layout, setLayout, look, setLook, windows, setWindows }: View) {
  return (
    <div class="toolbar" role="toolbar" aria-label="view">
      <div class="switch" role="group" aria-label="planes">
        {LAYOUTS.map((known) => (
          <button key={known} type="button" aria-pressed={layout === known} onClick={() => setLayout(known)}>
            {NAMES[known]}
          </button>
        ))}
      </div>
      <div class="fields">
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
        {windows && <WindowFields {...windows} setWindow={(now) => setWindows({ ...windows, now })} />}
      </div>
    </div>
  );
}

function WindowFields({ now, usual, range, setWindow }: Windows & { setWindow: (window: Window) => void }) {
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
