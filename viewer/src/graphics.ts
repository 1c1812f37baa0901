// What this machine can draw: with a graphics card, or by itself.

export const isSlow: boolean = (() => {
  const gl = document.createElement("canvas").getContext("webgl2");
  const words = gl?.getExtension("WEBGL_debug_renderer_info");
  const renderer = gl ? String(gl.getParameter(words?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER)) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(renderer);
})();
