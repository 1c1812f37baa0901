// Sending files: images into the library, a label to its case.

import { addImage, saveLabel } from "./datastore";
import { notify } from "./notices";
import { who } from "./reviewer";
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
  if (!files.length) return;
  const client = await who();
  if (client === null) return;
  const show = notify({ kind: "going", text: `Adding ${counted(files.length, "image")}`, progress: 0 });
  const refused: string[] = [];
  for (const [index, file] of files.entries()) {
    const progress = (part: number) =>
      show({ kind: "going", text: `Adding ${file.name}`, progress: (index + part) / files.length });
    await addImage(file, client, progress).catch((error: Error) => refused.push(`${file.name}: ${error.message}`));
  }
  show(
    files.length > refused.length
      ? { kind: "done", text: `Added ${counted(files.length - refused.length, "image")}.` }
      : undefined,
  );
  for (const text of refused) notify({ kind: "failed", text });
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
