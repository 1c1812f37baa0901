// Who works here: asked for once, kept in this browser, sent along with each change.

const KEY = "monailabel.reviewer";
const listeners = new Set<() => void>();

// Set by the page's dialog: asks for a name and gives it, or null where the user declines.
let asking: (() => Promise<string | null>) | null = null;

export function name(): string {
  return localStorage.getItem(KEY) ?? "";
}

export function rename(given: string): void {
  localStorage.setItem(KEY, given.trim());
  for (const listener of listeners) listener();
}

export function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function askWith(dialog: () => Promise<string | null>): void {
  asking = dialog;
}

// The name, asked for where it is not known yet; null where nobody says one.
export async function who(): Promise<string | null> {
  return name() || ((await asking?.()) ?? null);
}
