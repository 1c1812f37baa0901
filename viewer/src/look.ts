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

export type Window = [low: number, high: number]; // the values that are black and white

export interface Windows {
  now: Window;
  usual: Window;
  range: Window;
}

export interface View {
  look: Look;
  setLook: (look: Look) => void;
  layout: Layout;
  setLayout: (layout: Layout) => void;
  windows: Windows | null; // null: not known yet
  setWindows: (windows: Windows) => void;
}
