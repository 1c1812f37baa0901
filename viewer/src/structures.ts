// The structures of a label: their values, names, colours and how much there is of each.

import type { LabelInfo } from "./datastore";

export type Colour = [number, number, number];

export interface Structure {
  value: number; // in the label's voxels
  name: string;
  colour: Colour;
  ml: number | null; // null: nothing of it was found
}

// The colour of a structure, as the server's pictures have it (docs/http.md): hues far from each other, one by one.
export function colourOf(value: number): Colour {
  const hue = 6 * ((0.4 + value * 0.618034) % 1);
  const part = (shift: number) => {
    const k = (shift + hue) % 6;
    return Math.round(255 * (1 - 0.7 * Math.max(0, Math.min(k, 4 - k, 1)))); // HSV with saturation 0.7 and value 1
  };
  return [part(5), part(3), part(1)];
}

export const css = (colour: Colour | null): string => (colour ? `rgb(${colour.join(" ")})` : "transparent");

// Those that the label's info names and those that its voxels have, by value.
export function structuresOf(info: LabelInfo | null, volumes: Map<number, number> | null): Structure[] {
  const names = new Map<number, string>();
  for (const entry of Array.isArray(info?.label_info) ? info.label_info : []) {
    const value = Number(entry?.idx);
    if (Number.isInteger(value) && value > 0 && typeof entry.name === "string") names.set(value, entry.name);
  }
  const values = new Set([...names.keys(), ...(volumes?.keys() ?? [])]);
  return [...values]
    .sort((a, b) => a - b)
    .map((value) => ({
      value,
      name: names.get(value) ?? `structure ${value}`,
      colour: colourOf(value),
      ml: volumes?.get(value) ?? null,
    }));
}
