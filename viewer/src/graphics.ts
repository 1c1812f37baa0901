// What this machine can draw: with a graphics card, or by itself.

// Have fetched what draws volumes, and find out what this machine can, while other answers are on their way.
export function prepare(): void {
  void import("./scene").catch(() => undefined); // who needs it asks again, and says so
  isSlow();
}

let known: boolean | null = null;

// Tell whether there is no graphics card; to find out takes the browser some time, once.
export function isSlow(): boolean {
  return (known ??= drawsBySoftware());
}

function drawsBySoftware(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2");
  const words = gl?.getExtension("WEBGL_debug_renderer_info");
  const renderer = gl ? String(gl.getParameter(words?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER)) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(renderer);
}
