// The picture of a case: first one from the server, then the volume in its planes and in 3-D as it has arrived.

import { useEffect, useRef, useState } from "preact/hooks";
import { nameOf } from "./address";
import { reducedTo, useDifference, useLabelmap, useVolume, type Arriving, type Label } from "./arriving";
import { imageVolume, picture, type Header } from "./datastore";
import { CannotShow } from "./flat";
import { useKeys } from "./keys";
import type { Labelmap } from "./labelmap";
import type { Layout, Look, Window } from "./look";
import type { Scene } from "./scene";
import { Refusal } from "./server";
import { bytes } from "./words";

export interface Found {
  label: Labelmap | null;
  difference: Labelmap | null;
  exact: boolean; // at the label's own resolution
}

interface Props {
  image: string;
  v: string;
  header: Header;
  label: Label | null;
  against: Label | null;
  beside: boolean;
  look: Look;
  changes: Look; // how what differs is drawn
  layout: Layout;
  window: Window | null; // null: as the volume has it
  windowed: (window: Window, usual: Window, range: Window) => void;
  found: (found: Found) => void;
  remarks: string[]; // what is to be said of what was asked for
}

export function Stage(props: Props) {
  const { image, header, label, against, beside, look } = props;
  const [whole, setWhole] = useState(false);
  const reduced = reducedTo(header);
  const size = whole ? null : reduced;
  const volume = useVolume(`${imageVolume(image, size)}&v=${props.v}`);
  const first = useLabelmap(image, label, size);
  const second = useLabelmap(image, against, size);
  const differing = useDifference(first.value, beside ? null : second.value);
  const scenes = useRef<[Scene | null, Scene | null]>([null, null]);
  useEffect(
    () => props.found({ label: first.value, difference: differing.value, exact: size === null }),
    [first.value, differing.value, size],
  );
  useSceneKeys(scenes, props.layout);
  const comparing = against !== null && !beside;
  const shown = comparing ? differing.value : first.value;
  const pair = () => scenes.current[0]?.pairWith(scenes.current[1]);
  const errors = [volume.error, first.error, second.error, differing.error].filter((error) => error !== null);
  if (volume.error instanceof Refusal) return <CannotShow image={image} reason={volume.error.message} />;
  return (
    <>
      <div class="remarks">
        {reduced !== null && !whole && (
          <p>
            Shown at a lower resolution: {header.shape.slice(0, 3).join(" × ")} voxels are much for this browser.
            <button type="button" class="quiet" onClick={() => setWhole(true)}>
              Load all of it
            </button>
          </p>
        )}
        {[...props.remarks, ...errors.map((error) => error.message)].map((remark) => (
          <p key={remark}>{remark}</p>
        ))}
      </div>
      <div class={beside && against ? "stage beside" : "stage"}>
        <Pane
          {...props}
          title={beside && against && label ? nameOf(label.chosen) : null}
          volume={volume.data}
          shown={shown}
          look={comparing ? props.changes : look}
          ready={(scene) => ((scenes.current[0] = scene), pair())}
        />
        {beside && against && (
          <Pane
            {...props}
            label={against}
            title={nameOf(against.chosen)}
            volume={volume.data}
            shown={second.value}
            look={look}
            ready={(scene) => ((scenes.current[1] = scene), pair())}
          />
        )}
        <Coming volume={volume} />
      </div>
    </>
  );
}

interface PaneProps extends Props {
  title: string | null;
  volume: ArrayBuffer | null;
  shown: Labelmap | null;
  ready: (scene: Scene | null) => void;
}

function Pane({ image, v, label, title, volume, shown, beside, look, layout, window, windowed, ready }: PaneProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [scene, setScene] = useState<Scene | null>(null);
  const [drawn, setDrawn] = useState<ArrayBuffer | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const now = useRef({ shown, look });
  now.current = { shown, look };
  useEffect(() => {
    let current: Scene | null = null;
    let gone = false;
    void import("./scene")
      .then(({ Scene }) => (gone ? null : Scene.on(canvas.current!)))
      .then((made) => {
        if (gone || !made) return made?.close();
        current = made;
        setScene(made);
        ready(made);
      })
      .catch(() => setError(new Error("This browser cannot draw volumes (it lacks WebGL 2).")));
    return () => {
      gone = true;
      ready(null);
      current?.close();
    };
  }, []);
  useEffect(() => {
    if (!scene || !volume) return;
    scene
      .showImage(volume)
      .then(() => {
        scene.showLabel(now.current.shown, now.current.look); // which may have come meanwhile
        setDrawn(volume);
        windowed(scene.window, scene.usualWindow, scene.range);
        scene.onWindow = (low, high) => windowed([low, high], scene.usualWindow, scene.range);
      })
      .catch((reason: Error) => setError(reason));
  }, [scene, volume]);
  useEffect(() => {
    if (drawn) scene?.showLabel(shown, look);
  }, [shown]);
  useEffect(() => {
    if (drawn) scene?.paint(look);
  }, [look.opacity, look.outline, look.only]);
  useEffect(() => scene?.arrange(layout), [scene, layout, beside]);
  useEffect(() => {
    if (drawn && window && scene) scene.setWindow(...window);
  }, [window?.[0], window?.[1]]);
  return (
    <figure class="pane">
      {!drawn && (
        <img class="first" src={picture(image, 512, { plane: "axial", v, ...label?.chosen })} alt="" />
      )}
      <canvas
        ref={canvas}
        class={drawn ? "drawn" : ""}
        data-drawn={drawn !== null && drawn === volume}
        data-label={drawn !== null && drawn === volume && shown !== null}
        aria-label={`${image} in planes and 3-D`}
      />
      {title && <figcaption>{title}</figcaption>}
      {error && <p class="remark">{error.message}</p>}
    </figure>
  );
}

function Coming({ volume }: { volume: Arriving }) {
  if (!volume.coming) return null;
  return (
    <p class="coming" role="status">
      <progress {...(volume.of ? { value: volume.come / volume.of } : {})} />
      {volume.come > 0 && <span>{bytes(volume.come)}</span>}
    </p>
  );
}

function useSceneKeys(scenes: { current: [Scene | null, Scene | null] }, layout: Layout): void {
  const each = (action: (scene: Scene) => void) => () => scenes.current.forEach((scene) => scene && action(scene));
  const arrow = (move: [number, number, number], turn: [number, number]) => (event: KeyboardEvent) =>
    each((scene) => (event.shiftKey || layout === "render" ? scene.turn(...turn) : scene.step(...move)))();
  useKeys({
    ArrowUp: arrow([0, 0, 1], [0, 8]),
    ArrowDown: arrow([0, 0, -1], [0, -8]),
    ArrowRight: arrow([1, 0, 0], [8, 0]),
    ArrowLeft: arrow([-1, 0, 0], [-8, 0]),
    PageUp: each((scene) => scene.step(0, 1, 0)),
    PageDown: each((scene) => scene.step(0, -1, 0)),
    "+": each((scene) => scene.zoom(1.25)),
    "=": each((scene) => scene.zoom(1.25)),
    "-": each((scene) => scene.zoom(0.8)),
    "0": each((scene) => scene.zoom(null)),
  });
}
