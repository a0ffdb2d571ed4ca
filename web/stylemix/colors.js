// Colours of the pack's sockets and wires. Readable on dark and light nodes: at least 3:1 on #353535 and #ffffff.

export const SOCKET_COLORS = {
  STYLEMIX_GENERATOR: "#E5602A",
  STYLEMIX_ENCODER: "#0F9F8E",
  STYLEMIX_LATENT: "#B965E6",
  STYLEMIX_MASKS: "#84911D",
  STYLEMIX_DIRECTIONS: "#D6569A",
  STYLEMIX_INVERSION: "#8A8A94",
  STYLEMIX_TRANSFORM: "#8B83D6",
  STYLEMIX_MOVE: "#3D8FD1",
  STYLEMIX_CURVE: "#B07D2B",
};

/**
 * Give the sockets their colours, in the classic canvas and on Vue nodes. To be called in an extension's `setup`.
 *
 * @param {Comfy.App} app
 */
export function colorSockets(app) {
  for (const colors of [app.canvas.default_connection_color_byType, app.canvas.constructor.link_type_colors]) {
    for (const [type, color] of Object.entries(SOCKET_COLORS)) keepColor(colors, type, color);
  }
  // A palette sets these variables on the element itself or removes them; then the sheet's hold.
  const variables = Object.entries(SOCKET_COLORS).map(([type, color]) => `--color-datatype-${type}: ${color};`);
  const sheet = document.createElement("style");
  sheet.textContent = `:root { ${variables.join(" ")} }`;
  document.head.append(sheet);
}

/**
 * A palette that does not know the type writes "" over its colour, at start and at every change of the theme.
 *
 * @param {Comfy.Colors} colors
 * @param {string} type
 * @param {string} color
 */
function keepColor(colors, type, color) {
  let chosen = colors[type];
  Object.defineProperty(colors, type, {
    configurable: true,
    enumerable: true,
    get: () => chosen || color,
    set(value) {
      chosen = value;
    },
  });
}
