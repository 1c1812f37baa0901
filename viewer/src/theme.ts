// Light, dark, or as the system has it.

const KEY = "monailabel.theme";
const ORDER = ["system", "light", "dark"] as const;
export type Theme = (typeof ORDER)[number];

export function theme(): Theme {
  return ORDER.find((known) => known === localStorage.getItem(KEY)) ?? "system";
}

export function apply(chosen: Theme): void {
  localStorage.setItem(KEY, chosen);
  document.documentElement.dataset.theme = chosen;
}

export function following(chosen: Theme): Theme {
  return ORDER[(ORDER.indexOf(chosen) + 1) % ORDER.length] ?? "system";
}
