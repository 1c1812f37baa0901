// Volumes on their way from the server: unpacked as they arrive, the last few kept.

import { ask, Refusal } from "./server";

const KEPT = 6;
const known = new Map<string, Promise<ArrayBuffer>>();

// Fetch a .nii.gz and give what it holds; `progress` is told the bytes that have come and, where known, of how many.
export function volumeAt(address: string, progress?: (come: number, of: number | null) => void): Promise<ArrayBuffer> {
  const found = known.get(address) ?? fetched(address, progress);
  known.delete(address);
  known.set(address, found); // now the last one that was used
  for (const oldest of [...known.keys()].slice(0, Math.max(0, known.size - KEPT))) known.delete(oldest);
  found.catch(() => known.delete(address));
  return found;
}

export function forgetVolumes(): void {
  known.clear();
}

async function fetched(address: string, progress?: (come: number, of: number | null) => void): Promise<ArrayBuffer> {
  const answer = await ask(address);
  const length = Number(answer.headers.get("content-length")) || null;
  let come = 0;
  const counting = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      come += chunk.byteLength;
      progress?.(come, length);
      controller.enqueue(chunk);
    },
  });
  const packed = answer.body!.pipeThrough(counting);
  const unpacked = new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  return unpacked.catch((reason: Error) => {
    if (length === null || come < length) throw reason; // it broke off on its way
    throw new Refusal(415, "The file cannot be unpacked: it is damaged, or was cut off.");
  });
}
