// A label's voxels as small whole numbers, and what differs between two labels.

import { NVImage } from "@niivue/niivue";

const DT_UINT8 = 2;
const DT_UINT16 = 512;
const INTENT_LABEL = 1002; // NiiVue then takes the nearest voxel, and colours from a table

export interface Labelmap {
  volume: NVImage;
  places: Uint8Array | Uint16Array; // of each voxel's number in `values`
  values: number[]; // the label's own numbers; the first is the background's 0
  millilitres: Map<number, number>; // of each number but 0
  heart: [number, number, number] | null; // mm; where the planes that show most of it meet, null where there is nothing
}

export class Mismatch extends Error {}

export async function labelmap(nifti: ArrayBuffer): Promise<Labelmap> {
  const volume = await NVImage.loadFromUrl({ url: nifti, name: "label.nii" });
  const numbers = wholeNumbers(volume);
  const values = [0];
  const place = new Map([[0, 0]]);
  const places = new Uint16Array(numbers.length);
  let before = 0;
  let at = 0; // neighbours are mostly alike: the map is asked only where they are not
  for (let k = 0; k < numbers.length; k++) {
    const number = numbers[k]!;
    if (number !== before) {
      before = number;
      at = place.get(number) ?? -1;
      if (at < 0) {
        at = values.push(number) - 1;
        place.set(number, at);
      }
    }
    places[k] = at;
  }
  return finished(volume, values.length <= 256 ? Uint8Array.from(places) : places, values);
}

// What differs, as a labelmap of its own: `values` are the places in CHANGES, from 1 on.
export function difference(older: Labelmap, newer: Labelmap): Labelmap {
  if (!sameGrid(older.volume, newer.volume))
    throw new Mismatch(
      "The two labels lie on different grids of voxels, so they cannot be compared voxel by voxel; see them side by side.",
    );
  const before = older.places;
  const after = newer.places;
  const changes = new Uint8Array(after.length);
  for (let k = 0; k < changes.length; k++) {
    const from = older.values[before[k]!]!;
    const to = newer.values[after[k]!]!;
    if (from || to) changes[k] = from === to ? 4 : !from ? 1 : !to ? 2 : 3;
  }
  return finished(sibling(newer.volume), changes, [0, 1, 2, 3, 4]);
}

// A volume on the same grid, to be given other voxels. (NiiVue's own clone() forgets how many voxels there are.)
function sibling(volume: NVImage): NVImage {
  const hdr = Object.assign(Object.create(Object.getPrototypeOf(volume.hdr)), volume.hdr);
  return Object.assign(new NVImage(), volume, { hdr, id: `${volume.id}-changes` });
}

function finished(volume: NVImage, places: Uint8Array | Uint16Array, values: number[]): Labelmap {
  const hdr = volume.hdr!;
  volume.img = places;
  hdr.datatypeCode = places instanceof Uint8Array ? DT_UINT8 : DT_UINT16;
  hdr.numBitsPerVoxel = places.BYTES_PER_ELEMENT * 8;
  hdr.intent_code = INTENT_LABEL;
  hdr.scl_slope = 1;
  hdr.scl_inter = 0;
  const counts = new Array<number>(values.length).fill(0);
  for (let k = 0; k < places.length; k++) counts[places[k]!]!++;
  const voxel = Math.abs((hdr.pixDims[1] ?? 1) * (hdr.pixDims[2] ?? 1) * (hdr.pixDims[3] ?? 1)) / 1000; // mm³ -> ml
  const millilitres = new Map(
    values.flatMap((value, k) => (value && counts[k] ? [[value, counts[k] * voxel] as const] : [])),
  );
  return { volume, places, values, millilitres, heart: heartOf(volume, places) };
}

// Where the most is; of several such places the middle one.
function fullest(counts: Uint32Array): number {
  const most = counts.reduce((a, b) => Math.max(a, b), 0);
  const places = [...counts.keys()].filter((place) => counts[place] === most);
  return places[Math.floor(places.length / 2)]!;
}

function heartOf(volume: NVImage, places: Uint8Array | Uint16Array): [number, number, number] | null {
  const { dims, affine } = volume.hdr!;
  const [x = 1, y = 1, z = 1] = dims.slice(1, 4);
  const filled = [x, y, z].map((length) => new Uint32Array(length)) as [Uint32Array, Uint32Array, Uint32Array];
  for (let at = 0, k = 0; k < z; k++)
    for (let j = 0; j < y; j++)
      for (let i = 0; i < x; i++, at++)
        if (places[at]) {
          filled[0][i]!++;
          filled[1][j]!++;
          filled[2][k]!++;
        }
  const [i, j, k] = filled.map(fullest) as [number, number, number];
  if (!filled[0][i]) return null;
  const along = (axis: number) =>
    affine[axis]![0]! * i + affine[axis]![1]! * j + affine[axis]![2]! * k + affine[axis]![3]!;
  return [along(0), along(1), along(2)];
}

// The voxels of the first volume as whole numbers, of 0 for whatever is below or no number.
function wholeNumbers(volume: NVImage): ArrayLike<number> {
  const hdr = volume.hdr!;
  const count = (hdr.dims[1] ?? 1) * (hdr.dims[2] ?? 1) * (hdr.dims[3] ?? 1);
  const stored = (volume.img as Uint8Array).subarray(0, count);
  const slope = hdr.scl_slope || 1;
  const whole = hdr.datatypeCode === DT_UINT8 || hdr.datatypeCode === DT_UINT16;
  if (whole && slope === 1 && !hdr.scl_inter) return stored;
  return Int32Array.from(stored, (number) => Math.max(0, Math.round(number * slope + hdr.scl_inter) || 0));
}

function sameGrid(one: NVImage, other: NVImage): boolean {
  const dims = [1, 2, 3].every((axis) => one.hdr!.dims[axis] === other.hdr!.dims[axis]);
  const a = one.hdr!.affine.flat();
  const b = other.hdr!.affine.flat();
  return dims && a.every((number, k) => Math.abs(number - b[k]!) < 1e-3 * Math.max(1, Math.abs(number)));
}
