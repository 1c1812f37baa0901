// What is known of an image: its header, and everything in its info.

import { imageFile, type Header, type Row } from "./datastore";
import { Icon } from "./icons";
import { bytes, moment, value } from "./words";

interface Props {
  id: string;
  row: Row | null;
  header: Header | null;
  info: Record<string, unknown> | null;
}

export function About({ id, row, header, info }: Props) {
  const facts: [string, string][] = [];
  if (header) {
    facts.push(["voxels", header.shape.join(" × ")]);
    if (header.spacing) facts.push(["spacing", `${header.spacing.map((mm) => Number(mm.toFixed(3))).join(" × ")} mm`]);
    for (const name of ["orientation", "dtype", "modality", "format"] as const)
      if (header[name]) facts.push([name, String(header[name])]);
  }
  if (row?.size != null) facts.push(["size", bytes(row.size)]);
  if (row?.time) facts.push(["changed", moment(row.time)]);
  return (
    <section class="about">
      <h2>
        Image
        <a class="quiet" href={imageFile(id)} download title="Download the image" aria-label="download the image">
          <Icon name="download" />
        </a>
      </h2>
      <Facts facts={facts} />
      {info && (
        <details class="info">
          <summary>Info</summary>
          <Facts facts={Object.entries(info).map(([key, thing]) => [key, value(thing)])} />
        </details>
      )}
    </section>
  );
}

function Facts({ facts }: { facts: [string, string][] }) {
  return (
    <dl class="facts">
      {facts.map(([name, words]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{words}</dd>
        </div>
      ))}
    </dl>
  );
}
