// Bringing back what was removed or replaced, under one's own name.

import { failed, notify } from "./notices";
import { who } from "./reviewer";

// Ask who works here, restore, and say so; tells whether it is there again.
export async function bringBack(restored: (client: string) => Promise<void>, text: string): Promise<boolean> {
  const client = await who();
  if (client === null) return false;
  try {
    await restored(client);
  } catch (error) {
    failed(error);
    return false;
  }
  notify({ kind: "done", text });
  return true;
}
