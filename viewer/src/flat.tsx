// A case that is no volume: its picture, or why there is none.

import { useEffect, useState } from "preact/hooks";
import { imageFile, picture } from "./datastore";
import { Icon } from "./icons";

export function Flat({ image, v, tag }: { image: string; v: string; tag: string | null }) {
  const [error, setError] = useState(false);
  const address = picture(image, 2048, { tag, v });
  useEffect(() => setError(false), [address]);
  if (error) return <CannotShow image={image} reason="This image cannot be drawn here." />;
  return (
    <div class="stage flat">
      <img src={address} alt={`picture of ${image}`} onError={() => setError(true)} data-drawn="true" />
    </div>
  );
}

export function CannotShow({ image, reason }: { image: string; reason: string }) {
  return (
    <div class="stage nothing">
      <Icon name="picture" />
      <h2>No picture of this one</h2>
      <p>{reason}</p>
      <a class="button" href={imageFile(image)} download>
        Download the file
      </a>
    </div>
  );
}
