// A case's labels: tags, versions, structures, and what differs between two of them.

import { nameOf, type CasePlace, type Chosen } from "./address";
import { bringBack } from "./bringing";
import { CHANGE_COLOURS, CHANGES, type Change } from "./changes";
import { labelFile, restore, type Row, type Version } from "./datastore";
import { useReadOnly } from "./home";
import { Icon } from "./icons";
import type { Labelmap } from "./labelmap";
import type { Look } from "./look";
import { css, type Structure } from "./structures";
import { ago, bytes, moment } from "./words";

interface Props {
  id: string;
  place: CasePlace;
  row: Row | null;
  tag: string | null;
  versions: Version[];
  structures: Structure[];
  look: Look;
  setLook: (look: Look) => void;
  difference: Labelmap | null;
  exact: boolean;
  show: (part: Partial<CasePlace>) => void;
}

export function Labels(props: Props) {
  const { row, tag, place, show, versions } = props;
  if (!row || !tag) return null;
  const shown = versions.find((version) =>
    place.version === null ? version.current : version.version === place.version,
  );
  const outdated = shown?.for_present_image === false;
  return (
    <section class="labels">
      <h2>Label</h2>
      <div class="tags" role="group" aria-label="tags">
        {row.tags.map((known) => (
          <button
            key={known}
            type="button"
            class="chip"
            aria-pressed={known === tag}
            onClick={() => show({ tag: known, version: null, against: null })}
          >
            {known}
          </button>
        ))}
      </div>
      {outdated && (
        <p class="hint warning" role="note">
          This label was made for version {shown.image_version} of the image, which is at version {row.version} now:
          they may not fit.
        </p>
      )}
      {place.against && !place.beside ? <Changes {...props} /> : <Structures {...props} />}
      <Comparison {...props} />
      <Versions {...props} />
    </section>
  );
}

function Structures({ structures, look, setLook, exact }: Props) {
  if (!structures.length) return null;
  return (
    <ul class="structures" aria-label="structures">
      {structures.map(({ value, name, colour, ml }) => (
        <li key={value}>
          <button
            type="button"
            aria-pressed={look.only === value}
            class={look.only !== null && look.only !== value ? "faint" : ""}
            title={look.only === value ? "All structures again" : "This structure alone"}
            onClick={() => setLook({ ...look, only: look.only === value ? null : value })}
          >
            <i class="swatch" style={{ background: css(colour) }} />
            <span class="name">{name}</span>
            <small>{ml === null ? "" : volume(ml, exact)}</small>
          </button>
        </li>
      ))}
    </ul>
  );
}

const CHANGE_WORDS: Record<Change, string> = {
  added: "added",
  removed: "removed",
  renamed: "another structure",
  same: "the same",
};

function Changes({ difference, exact }: Props) {
  return (
    <ul class="structures changes" aria-label="changes" data-ready={difference !== null}>
      {CHANGES.map((change, index) => (
        <li key={change}>
          <i class="swatch" style={{ background: css(CHANGE_COLOURS[change]) }} />
          <span class="name">{CHANGE_WORDS[change]}</span>
          <small data-change={change}>{difference && volume(difference.millilitres.get(index + 1) ?? 0, exact)}</small>
        </li>
      ))}
    </ul>
  );
}

function Comparison({ place, row, tag, versions, show }: Props) {
  const choices: Chosen[] = [
    ...versions
      .filter((version) => version.kept && !isShown(version, place))
      .map(({ version }) => ({ tag: tag!, version })),
    ...row!.tags.filter((known) => known !== tag).map((known) => ({ tag: known, version: null })),
  ];
  if (!choices.length && !place.against) return null;
  const chosen = place.against ? nameOf(place.against) : "";
  if (place.against && !choices.some((choice) => nameOf(choice) === chosen)) choices.push(place.against);
  return (
    <div class="comparison">
      <label class={chosen ? "pick chosen" : "pick"}>
        <span>Compare with</span>
        <select
          name="against"
          value={chosen}
          onChange={(event) =>
            show({ against: choices.find((choice) => nameOf(choice) === event.currentTarget.value) ?? null })
          }
        >
          <option value="">nothing</option>
          {choices.map((choice) => (
            <option key={nameOf(choice)} value={nameOf(choice)}>
              {choice.version === null ? choice.tag : `${choice.tag}, version ${choice.version}`}
            </option>
          ))}
        </select>
      </label>
      {place.against && (
        <div class="switch" role="group" aria-label="how to compare">
          <button type="button" aria-pressed={!place.beside} onClick={() => show({ beside: false })}>
            What differs
          </button>
          <button type="button" aria-pressed={place.beside} onClick={() => show({ beside: true })}>
            Side by side
          </button>
        </div>
      )}
    </div>
  );
}

function isShown(version: Version, place: CasePlace): boolean {
  return place.version === null ? version.current : version.version === place.version;
}

function Versions({ id, tag, place, versions, show }: Props) {
  const readOnly = useReadOnly();
  if (!versions.length) return null;
  const back = async (version: number) => {
    const text = `Version ${version} of ${tag} is the current one again.`;
    if (await bringBack((client) => restore(id, tag!, version, client), text)) show({ version: null });
  };
  return (
    <details class="versions" open={versions.length > 1}>
      <summary>{versions.length === 1 ? "One version" : `${versions.length} versions`}</summary>
      <ol>
        {[...versions].reverse().map((version) => (
          <li key={version.version} class={isShown(version, place) ? "shown" : ""}>
            <button
              type="button"
              class="version"
              disabled={!version.kept}
              aria-pressed={isShown(version, place)}
              title={version.kept ? moment(version.time) : "the bytes of this version were not kept"}
              onClick={() => show({ version: version.current ? null : version.version, against: null })}
            >
              <b>{version.version}</b>
              <span>
                {version.actor} · {ago(version.time)}
                {version.size != null && ` · ${bytes(version.size)}`}
              </span>
            </button>
            {version.action === "refused" && (
              <small title="Whoever sent it did not know the version before it, so that it was never shown">
                set aside
              </small>
            )}
            {version.action === "restored" && <Origin version={version} versions={versions} />}
            {version.current ? (
              <small>current</small>
            ) : (
              version.kept &&
              !readOnly && (
                <button
                  type="button"
                  class="quiet"
                  title="Make this version the current one again"
                  onClick={() => void back(version.version)}
                >
                  <Icon name="undo" />
                </button>
              )
            )}
            {version.kept && (
              <a
                class="quiet"
                href={labelFile(id, { tag: tag!, version: version.current ? null : version.version })}
                download
                title="Download"
                aria-label={`download version ${version.version}`}
              >
                <Icon name="download" />
              </a>
            )}
          </li>
        ))}
      </ol>
    </details>
  );
}

// Which version was brought back: the last before it with the same bytes.
function Origin({ version, versions }: { version: Version; versions: Version[] }) {
  const same = (other: Version) => other.version < version.version && other.sha256 === version.sha256;
  const origin = version.sha256 ? versions.filter(same).at(-1) : undefined;
  return origin ? <small title="Brought back: it has the bytes of that version">as {origin.version}</small> : null;
}

function volume(ml: number, exact: boolean): string {
  const figures = ml >= 100 ? String(Math.round(ml)) : ml === 0 ? "0" : ml.toPrecision(ml >= 1 ? 3 : 2);
  return `${exact ? "" : "≈ "}${figures} ml`;
}
