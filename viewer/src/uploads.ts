// Sending files: images into the library, a label to its case.

import { addImage, saveLabel } from "./datastore";
import { notify } from "./notices";
import { who } from "./reviewer";
import { Refusal } from "./server";
import { counted } from "./words";

// By their names: scanners and microscopes have more endings of images than a list could hold.
const DOCUMENTS =
  /\.(txt|md|rtf|pdf|docx?|odt|xlsx?|ods|csv|tsv|pptx?|ya?ml|html?|log|py|ipynb|zip|7z|rar|tar|tgz|db|ini|exe|mp[34])(\.(gz|bz2|xz))?$/i;
const OUTLINES = /\.(json|xml)(\.gz)?$/i; // what pathologists draw is kept in these; beside images they tell of them

export const isNoLabel = (name: string): boolean => DOCUMENTS.test(name);
export const isNoImage = (name: string): boolean => DOCUMENTS.test(name) || OUTLINES.test(name);

export async function addImages(dropped: File[]): Promise<void> {
  const files = dropped.filter((file) => !isNoImage(file.name));
  for (const { name } of dropped.filter((file) => isNoImage(file.name))) {
    notify({ kind: "failed", text: `${name}: by its name no image, and not added.` });
  }
  const client = files.length ? await who() : null;
  if (client !== null) await sendImages(files, client, false);
}

// Scanners give many patients' files one name: an image that is there is replaced only when somebody says so.
async function sendImages(files: File[], client: string, replace: boolean): Promise<void> {
  const [doing, did] = replace ? ["Replacing", "Replaced"] : ["Adding", "Added"];
  const show = notify({ kind: "going", text: `${doing} ${counted(files.length, "image")}`, progress: 0 });
  const refused: string[] = [];
  const taken: File[] = [];
  for (const [index, file] of files.entries()) {
    const progress = (part: number) =>
      show({ kind: "going", text: `${doing} ${file.name}`, progress: (index + part) / files.length });
    await addImage(file, client, replace, progress).catch((error: Error) => {
      if (error instanceof Refusal && error.status === 412) taken.push(file);
      else refused.push(`${file.name}: ${error.message}`);
    });
  }
  const done = files.length - refused.length - taken.length;
  show(done ? { kind: "done", text: `${did} ${counted(done, "image")}.` } : undefined);
  for (const text of refused) notify({ kind: "failed", text });
  if (taken.length) askToReplace(taken, client);
}

function askToReplace(taken: File[], client: string): void {
  const [first] = taken;
  const text =
    taken.length === 1
      ? `There is an image of the name ${first?.name} already, and it stays.`
      : `There are ${taken.length} images of these names already, and they stay.`;
  notify({
    kind: "asking",
    text,
    action: { word: "Replace", run: () => void sendImages(taken, client, true) },
  });
}

export async function addLabel(image: string, tag: string, file: File): Promise<boolean> {
  const client = await who();
  if (client === null) return false;
  const show = notify({ kind: "going", text: `Saving ${file.name} as ${tag}`, progress: 0 });
  try {
    await saveLabel(image, tag, file, client, (progress) =>
      show({ kind: "going", text: `Saving ${file.name} as ${tag}`, progress }),
    );
    show({ kind: "done", text: `Saved as ${tag}. Earlier versions are kept.` });
    return true;
  } catch (error) {
    show({ kind: "failed", text: (error as Error).message });
    return false;
  }
}
