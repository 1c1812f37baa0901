// What became of a voxel between an older and a newer label, and the colour that says so.

import type { Colour } from "./structures";

export const CHANGES = ["added", "removed", "renamed", "same"] as const;
export type Change = (typeof CHANGES)[number];
export const CHANGE_COLOURS: Record<Change, Colour | null> = {
  added: [60, 220, 120],
  removed: [255, 70, 160],
  renamed: [255, 190, 40],
  same: null,
};
