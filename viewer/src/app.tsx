// The screen that the address names, and what lies above every screen.

import { usePlace } from "./address";
import { Case } from "./case";
import { KeysDialog, NameDialog } from "./dialogs";
import { Library } from "./library";
import { Notices } from "./notices";
import { Queue } from "./queue";

export function App() {
  const place = usePlace();
  return (
    <>
      {place.screen === "case" ? (
        <Case key={place.id} place={place} />
      ) : place.screen === "queue" ? (
        <Queue />
      ) : (
        <Library place={place} />
      )}
      <Notices />
      <NameDialog />
      <KeysDialog />
    </>
  );
}
