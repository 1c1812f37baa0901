// What is known of one case, kept current as others change it.

import {
  events,
  header,
  imageInfo,
  images,
  labelInfo,
  versions,
  type Happening,
  type Header,
  type LabelInfo,
  type Row,
  type Version,
} from "./datastore";
import { ready } from "./feed";
import { listingOf } from "./listing";
import { useAsked, type Asked } from "./loading";
import { useNews } from "./news";
import { type Query } from "./query";
import { Refusal } from "./server";

export interface Subject {
  row: Asked<Row>;
  header: Asked<Header>;
  info: Asked<Record<string, unknown>>;
  events: Asked<Happening[]>;
}

const PAUSE = 150; // ms in which several events make one look

export function useSubject(id: string, within: Query): Subject {
  const row = useAsked(() => rowOf(id), [id]);
  const version = (row.value ?? known(id, within))?.version ?? 0;
  const subject: Subject = {
    row: { ...row, value: row.value ?? known(id, within) },
    header: useAsked(() => header(id), [id, version]),
    info: useAsked(() => imageInfo(id), [id]),
    events: useAsked(async () => (await events(id, 1000)).events.reverse(), [id]),
  };
  useNews(() => [row, subject.info, subject.events].forEach((asked) => asked.again()), PAUSE, id);
  return subject;
}

export interface LabelSubject {
  info: Asked<LabelInfo>;
  versions: Asked<Version[]>;
}

export function useLabel(id: string, tag: string | null): LabelSubject {
  const subject = {
    info: useAsked(() => (tag ? labelInfo(id, tag) : Promise.resolve({})), [id, tag]),
    versions: useAsked(() => (tag ? versions(id, tag).catch(none) : Promise.resolve([])), [id, tag]),
  };
  useNews(() => [subject.info, subject.versions].forEach((asked) => asked.again()), PAUSE, id);
  return subject;
}

function none(error: unknown): Version[] {
  if (error instanceof Refusal && error.status === 404) return [];
  throw error;
}

function known(id: string, within: Query): Row | null {
  const listing = listingOf(within);
  return listing.row(listing.place(id)) ?? null;
}

async function rowOf(id: string): Promise<Row> {
  await ready;
  const [row] = (await images({ id, limit: 1 })).images;
  if (row) return row;
  throw new Refusal(404, "There is no case of that name, or it was removed.");
}
