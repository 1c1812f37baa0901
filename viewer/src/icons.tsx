// The few signs that the viewer draws, each on a square of 24.

const PATHS = {
  approve: "M4.5 12.5l5 5L20 7",
  flag: "M6 21V4h11l-2.2 4L17 12H6",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L20.5 20.5",
  back: "M14.5 5l-7 7 7 7",
  forward: "M9.5 5l7 7-7 7",
  up: "M6 15l6-6 6 6",
  down: "M6 9l6 6 6-6",
  close: "M6 6l12 12M18 6L6 18",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  table: "M4 6h16M4 12h16M4 18h16",
  download: "M12 4v11m-5-4.5l5 5 5-5M5 20h14",
  light:
    "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M18.4 5.6l-1.1 1.1M6.7 17.3l-1.1 1.1",
  dark: "M20 13.5A8 8 0 1 1 10.5 4a6.5 6.5 0 0 0 9.5 9.5z",
  system: "M3.5 5h17v11h-17zM9 20h6M12 16v4",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c1-4 4-5.5 7.5-5.5s6.5 1.5 7.5 5.5",
  keys: "M3 6.5h18v11H3zM7 14h10M6.5 10h.1M10 10h.1M13.5 10h.1M17 10h.1",
  filter: "M4 6h16M7 12h10M10 18h4",
  undo: "M8.5 5L4 9.5l4.5 4.5M4 9.5h9.5a6 6 0 0 1 0 12H10",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4",
};

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
