// One canvas with a volume and a label over it, drawn by NiiVue.

import { DRAG_MODE, MULTIPLANAR_TYPE, Niivue, NVImage, SHOW_RENDER, SLICE_TYPE } from "@niivue/niivue";
import type { Labelmap } from "./labelmap";
import type { Layout, Look } from "./look";

const SLICES: Record<Layout, SLICE_TYPE> = {
  all: SLICE_TYPE.MULTIPLANAR,
  axial: SLICE_TYPE.AXIAL,
  coronal: SLICE_TYPE.CORONAL,
  sagittal: SLICE_TYPE.SAGITTAL,
  render: SLICE_TYPE.RENDER,
};

type Place = Niivue["scene"]["crosshairPos"];

const CROSS = 1.5; // px; a thinner line is lost between two pixels
const SCALE = 1.2; // of the 3-D view, which else has room for the volume's corners

export class Scene {
  onWindow: (low: number, high: number) => void = () => undefined;
  private image: NVImage | null = null;
  private label: Labelmap | null = null;
  private frame = 0; // that is asked for, to draw in
  private twin: Scene | null = null; // the canvas beside this one, which shows the same place
  private visited = false; // a label's heart was gone to

  private constructor(private nv: Niivue) {}

  static async on(canvas: HTMLCanvasElement): Promise<Scene> {
    const nv = new Niivue({
      backColor: [0, 0, 0, 1],
      crosshairColor: [0.42, 0.62, 0.85, 1],
      crosshairWidthUnit: "percent",
      crosshairGap: 4,
      fontColor: [0.75, 0.78, 0.82, 1],
      fontMinPx: 12,
      isRadiologicalConvention: true, // as Slicer and clinical viewers have it
      sagittalNoseLeft: true,
      multiplanarLayout: MULTIPLANAR_TYPE.GRID,
      multiplanarShowRender: SHOW_RENDER.ALWAYS,
      multiplanarEqualSize: false,
      tileMargin: 4,
      dragMode: DRAG_MODE.windowing, // with the right button
      dragAndDropEnabled: false,
      show3Dcrosshair: false,
      clipPlaneHotKey: "", // keys are this viewer's own
      cycleClipPlaneHotKey: "",
      viewModeHotKey: "",
      loadingText: "",
      logLevel: "error",
    });
    await nv.attachToCanvas(canvas, false);
    nv.setScale(SCALE);
    const scene = new Scene(nv);
    scene.drawOncePerFrame();
    nv.onLocationChange = () => scene.twin?.follow(scene);
    // NiiVue tells the twin of turning and zooming only while this canvas has the focus.
    canvas.addEventListener("pointerdown", () => canvas.focus({ preventScroll: true }));
    nv.onIntensityChange = (volume) => scene.onWindow(volume.cal_min ?? 0, volume.cal_max ?? 1);
    return scene;
  }

  // NiiVue draws at each of its changes, and waits until that is done: a second for each without a graphics card.
  private drawOncePerFrame(): void {
    const draw = this.nv.drawScene.bind(this.nv);
    this.nv.drawScene = () => {
      this.frame ||= requestAnimationFrame(() => {
        this.frame = 0;
        draw();
      });
    };
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    this.nv.cleanup();
    this.nv.gl.getExtension("WEBGL_lose_context")?.loseContext(); // a browser lends few of them
  }

  async showImage(nifti: ArrayBuffer): Promise<void> {
    this.image = await NVImage.loadFromUrl({ url: nifti, name: "image.nii" });
    this.label = null;
    this.nv.volumes = [];
    this.nv.addVolume(this.image);
  }

  showLabel(label: Labelmap | null, look: Look): void {
    if (!this.image || label === this.label) return;
    this.label = label;
    this.nv.volumes = label ? [this.image, label.volume] : [this.image];
    if (!label) return this.nv.setVolume(this.image, 0);
    this.nv.overlays = [label.volume];
    if (label.heart && !this.visited) this.visit(this.nv.mm2frac(label.heart));
    this.paint(look);
  }

  // NiiVue's addVolume() and setOpacity() would send the image to the graphics card again, too.
  paint(look: Look): void {
    if (!this.label || !this.image) return;
    this.colour(this.label, look);
    this.nv.refreshLayers(this.label.volume, 1);
    this.nv.drawScene();
  }

  // NiiVue's table knows no structure that is there but not drawn, so those are taken out of the voxels.
  private colour({ volume, places, values }: Labelmap, look: Look): void {
    const colours = values.map((value, place) =>
      place && (look.only ?? value) === value ? look.colours(value) : null,
    );
    const column = (part: number) => colours.map((colour) => colour?.[part] ?? 0);
    const drawn = colours.map((colour) => (colour ? 255 : 0));
    volume.setColormapLabel({ R: column(0), G: column(1), B: column(2), A: drawn, I: values.map((_, place) => place) });
    volume.img = drawn.every((alpha, place) => alpha || !place)
      ? places
      : places.map((place) => (drawn[place] ? place : 0));
    volume.opacity = look.outline ? 0 : look.opacity;
    this.nv.opts.atlasOutline = look.outline ? look.opacity : 0; // of the voxels at an edge
  }

  arrange(layout: Layout): void {
    const { clientWidth, clientHeight } = this.nv.canvas!;
    const plane = Math.min(clientWidth, clientHeight) / (layout === "all" ? 2 : 1);
    this.nv.setCrosshairWidth((100 * CROSS) / plane);
    this.nv.setSliceType(SLICES[layout]);
  }

  get window(): [number, number] {
    return [this.image?.cal_min ?? 0, this.image?.cal_max ?? 1];
  }

  get range(): [number, number] {
    return [this.image?.global_min ?? 0, this.image?.global_max ?? 1];
  }

  get usualWindow(): [number, number] {
    return [this.image?.robust_min ?? this.range[0], this.image?.robust_max ?? this.range[1]];
  }

  setWindow(low: number, high: number): void {
    if (!this.image || !(low < high) || (low === this.image.cal_min && high === this.image.cal_max)) return;
    this.image.cal_min = low;
    this.image.cal_max = high;
    this.nv.updateGLVolume();
  }

  // Move the cross by voxels: to the right, forwards, upwards.
  step(right: number, forward: number, up: number): void {
    if (this.image) this.nv.moveCrosshairInVox(right, forward, up);
  }

  turn(azimuth: number, elevation: number): void {
    this.nv.setRenderAzimuthElevation(this.nv.scene.renderAzimuth + azimuth, this.nv.scene.renderElevation + elevation);
  }

  zoom(factor: number | null): void {
    const [x, y, z, scale] = this.nv.scene.pan2Dxyzmm as unknown as [number, number, number, number];
    this.nv.setPan2Dxyzmm(factor === null ? [0, 0, 0, 1] : [x, y, z, Math.min(20, Math.max(0.5, scale * factor))]);
    this.nv.setScale(factor === null ? SCALE : this.nv.scene.volScaleMultiplier * factor);
  }

  // Go to a place; from here on, it is the user's.
  private visit(place: Place): void {
    for (const scene of [this, this.twin]) {
      if (!scene) continue;
      scene.visited = true;
      scene.nv.scene.crosshairPos = [...place] as Place;
      if (scene.image) scene.nv.drawScene();
    }
  }

  // The mouse's wheel moves a canvas that has no focus, too.
  private follow({ nv }: Scene): void {
    const place = [...nv.scene.crosshairPos] as Place;
    if (!this.image || String(place) === String([...this.nv.scene.crosshairPos])) return;
    this.nv.scene.crosshairPos = place;
    this.nv.drawScene();
  }

  // Show the same place as the canvas beside this one, whichever of them is moved; beside none, this one's own.
  pairWith(twin: Scene | null): void {
    this.twin = twin;
    this.nv.broadcastTo(twin ? [twin.nv] : []);
    if (!twin) return;
    twin.twin = this;
    twin.nv.broadcastTo([this.nv]);
    if (this.visited) this.visit(this.nv.scene.crosshairPos);
  }
}
