// Sending files: images into the library, a label to its case.

import { addImage, saveLabel } from "./datastore";
import { notify } from "./notices";
import { who } from "./reviewer";
import { counted } from "./words";

const PICTURES = /\.(nii|nrrd|nhdr|mha|mhd|mgh|mgz|dcm|dicom|png|jpe?g|tiff?|bmp|webp|gif|svs|ndpi)(\.gz)?$/i;

// By its name; a file of DICOM may have none of these ends.
export function isPicture(name: string): boolean {
  return PICTURES.test(name) || !/\.[a-z][a-z0-9]*$/i.test(name);
}

export async function addImages(dropped: File[]): Promise<void> {
  const files = dropped.filter((file) => isPicture(file.name));
  for (const { name } of dropped.filter((file) => !isPicture(file.name))) {
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
