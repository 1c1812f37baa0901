// How a case is looked at: which planes, and how its label is drawn.

import type { Colour } from "./structures";

export type Layout = "all" | "axial" | "coronal" | "sagittal" | "render";
export const LAYOUTS: Layout[] = ["all", "axial", "coronal", "sagittal", "render"];

export interface Look {
  opacity: number; // of the label, 0 to 1
  outline: boolean;
  only: number | null; // one structure alone
  colours: (value: number) => Colour | null; // null: not drawn
}
