// A label's file that was dropped on a case: as which tag is it to be saved?

import { useState } from "preact/hooks";
import { Dialog } from "./dialogs";
import { useDropping } from "./dropping";
import { useReadOnly } from "./home";
import { addLabel, isNoLabel } from "./uploads";

export function Dropped({ id, tag }: { id: string; tag: string | null }) {
  const [file, setFile] = useState<File | null>(null);
  const readOnly = useReadOnly();
  const dragged = useDropping((files) => setFile(files[0] ?? null));
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement).get("tag");
    if (file && typeof given === "string" && given.trim()) void addLabel(id, given.trim(), file);
    setFile(null);
  };
  const strange = file !== null && isNoLabel(file.name);
  if (readOnly) return null;
  return (
    <>
      {dragged && <p class="drop-here">Drop a label of {id} here</p>}
      <section class="upload">
        <label class="button">
          Add a label…
          <input
            type="file"
            name="label"
            onClick={(event) => (event.currentTarget.value = "")} // the same file may be chosen again
            onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)}
          />
        </label>
      </section>
      <Dialog open={file !== null} close={() => setFile(null)}>
        <form onSubmit={submit}>
          <h2>Save this label?</h2>
          <p>
            <b>{file?.name}</b> becomes a label of <b>{id}</b>. A label of that tag that is there already is kept as an
            earlier version.
          </p>
          {strange && (
            <p class="hint warning" role="note">
              By its name this is no image: who trains with this label will get a file that cannot be read as one.
            </p>
          )}
          <label class="field">
            <span>Tag</span>
            <input name="tag" defaultValue={tag ?? "final"} required />
          </label>
          <p class="actions">
            <button type="button" class="quiet" onClick={() => setFile(null)}>
              Cancel
            </button>
            <button type="submit" class="button">
              {strange ? "Save all the same" : "Save"}
            </button>
          </p>
        </form>
      </Dialog>
    </>
  );
}
