// The datastore's HTTP interface, as docs/http.md describes it.

import type { Chosen } from "./address";
import type { Query } from "./query";
import { ask, at, json, send } from "./server";

export interface Info {
  name: string;
  description: string;
  read_only: boolean;
}

export type State = "unlabelled" | "labelled" | "approved" | "flagged";

export interface Row {
  id: string;
  name: string;
  state: State;
  tags: string[];
  annotator: string | null;
  time: string | null;
  size: number | null;
  level: string | null;
  comment: string | null;
  version: number;
  labels: Record<string, { version: number }>;
}

export interface Page {
  images: Row[];
  next: string | null;
  total: number;
  seq: number;
}

export type Counts = Record<string, number>;

export interface Facets {
  total: number;
  labelled: number;
  reviewed: number;
  state: Counts;
  tag: Counts;
  annotator: Counts;
  structure: Counts;
  info: Counts; // by key
}

export interface Header {
  shape: number[];
  spacing?: number[] | null;
  orientation?: string | null;
  dtype?: string | null;
  modality?: string | null;
  format?: string | null;
}

export interface Version {
  version: number;
  time: string;
  actor: string;
  action: string;
  sha256: string | null;
  size: number | null;
  image_version: number | null;
  for_present_image: boolean | null; // null: nobody knows
  current: boolean;
  kept: boolean;
}

export interface Happening {
  seq: number;
  time: string;
  actor: string;
  action: string;
  image: string;
  tag: string;
  version: number | null;
  old: LabelInfo | null;
  new: LabelInfo | null;
}

export interface Review {
  status: string;
  level: string;
  approvedBy: string;
  comment: string;
  editTime: number | string;
}

export interface LabelInfo {
  label_info?: { name?: unknown; idx?: unknown }[];
  segmentationMeta?: Partial<Review>;
  client_id?: string;
  [key: string]: unknown;
}

export type Plane = "axial" | "coronal" | "sagittal";

// Which images, and which part of them: `after` the end of a page, or from the place `skip` on.
export interface Asking extends Partial<Query> {
  id?: string;
  after?: string;
  skip?: number;
  limit: number;
}

export function images(asking: Asking, signal?: AbortSignal): Promise<Page> {
  return json(at("/datastore/images", { ...asking }), { signal: signal ?? null });
}

export const facets = (): Promise<Facets> => json("/datastore/images/facets");
export const info = (): Promise<Info> => json("/info/");
export const header = (image: string): Promise<Header> => json(at("/datastore/image/header", { image }));
export const imageInfo = (image: string): Promise<Record<string, unknown>> =>
  json(at("/datastore/image/info", { image }));
export const labelInfo = (label: string, tag: string): Promise<LabelInfo> =>
  json(at("/datastore/label/info", { label, tag }));
export const versions = (image: string, tag: string): Promise<Version[]> =>
  json(at("/datastore/label/versions", { image, tag }));
export const imageVersions = (image: string): Promise<Version[]> => json(at("/datastore/image/versions", { image }));
export const events = (image: string, limit: number): Promise<{ events: Happening[]; last: number }> =>
  json(at("/datastore/events", { image, limit }));

// Where files, pictures and volumes are. `v` only tells versions apart for the browser's cache.
export const imageFile = (image: string): string => at("/datastore/image", { image });
export const labelFile = (label: string, { tag, version }: Chosen): string =>
  at("/datastore/label", { label, tag, version });
export const picture = (
  image: string,
  size: number,
  more: { plane?: Plane; tag?: string | null; version?: number | null; v?: string } = {},
): string => at("/datastore/image/preview", { image, size, format: "webp", ...more });
export const imageVolume = (image: string, size: number | null): string =>
  at("/datastore/image/volume", { image, size });
export const labelVolume = (label: string, { tag, version }: Chosen, size: number | null): string =>
  at("/datastore/label/volume", { label, tag, version, size });

export async function review(label: string, tag: string, meta: Review, client: string): Promise<void> {
  const body = new URLSearchParams({ params: JSON.stringify({ segmentationMeta: meta }) });
  await ask(at("/datastore/updatelabelinfo", { label, tag, client_id: client }), { method: "PUT", body });
}

export async function restore(image: string, tag: string, version: number, client: string): Promise<void> {
  await ask(at("/datastore/label/restore", { image, tag, version, client_id: client }), { method: "PUT" });
}

export async function restoreImage(image: string, client: string): Promise<void> {
  await ask(at("/datastore/image/restore", { image, client_id: client }), { method: "PUT" });
}

export function saveLabel(
  image: string,
  tag: string,
  file: File,
  client: string,
  progress: (part: number) => void,
): Promise<void> {
  return send(at("/datastore/label", { image, tag }), form("label", file, client), progress);
}

// A refusal with status 412 says that there is an image of that name, which `replace` replaces.
export function addImage(
  file: File,
  client: string,
  replace: boolean,
  progress: (part: number) => void,
): Promise<void> {
  return send("/datastore/image", form("file", file, client), progress, replace ? {} : { "If-None-Match": "*" });
}

function form(part: string, file: File, client: string): FormData {
  const data = new FormData();
  data.set("params", JSON.stringify({ client_id: client }));
  data.set(part, file, file.name);
  return data;
}
