"use strict";
// The points and surfaces of surface.html on a canvas: a perspective view that turns, painted from
// back to front. Coordinates inside are from -1 to 1 along each axis.
(() => {
  const data = JSON.parse(document.getElementById("surface-data").textContent);
  const canvas = document.getElementById("surface");
  const context = canvas.getContext("2d");
  const tip = document.getElementById("tip");
  const spoken = document.getElementById("spoken");
  const EYE = 6, HEIGHT = 0.62, REACH = 12, START = { azimuth: -0.62, elevation: 0.5, zoom: 1 };
  const view = { ...START };
  let screen = { width: 1, height: 1, ratio: 1, size: 1 }, turned = [1, 0, 1, 0];
  let chosen = 0, places = [], shapes = [], picked = null, waiting = false;

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  const floats = (text) => new Float32Array(bytes(text));
  const side = data.side;
  const networks = data.networks.map((network) => ({ ...network, z: network.z.map(floats) }));
  const groups = data.points.map((group) => ({
    ...group, rows: new Uint32Array(bytes(group.rows)), x: floats(group.x), y: floats(group.y), z: group.z.map(floats),
  }));
  const isShown = (name) => document.getElementById(`show-${name}`).checked;
  const grid = (range, index) => range[0] + (range[1] - range[0]) * index / (side - 1);

  /** Range of the chosen output, over data and networks. */
  function height() {
    let low = Infinity, high = -Infinity;
    for (const { z } of [...groups, ...networks]) {
      for (const value of z[chosen]) {
        if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
      }
    }
    if (!(low <= high)) return [0, 1];
    return low < high ? [low, high] : [low - 0.5, low + 0.5];
  }

  /** Maps a value of a range to -1 … 1. */
  const unit = (value, range) => 2 * (value - range[0]) / (range[1] - range[0]) - 1;

  /** Projects a point of the cube: [x, y] in CSS pixels of the canvas, and its nearness. */
  function project(x, y, z) {
    const [ca, sa, ce, se] = turned;
    const right = x * ca - y * sa, away = x * sa + y * ca, up = z * HEIGHT;
    const near = up * se - away * ce;
    const scale = screen.size * view.zoom * EYE / (EYE - near);
    return [screen.width / 2 + right * scale, screen.height * 0.42 - (up * ce + away * se) * scale, near];
  }

  function aim() {
    turned = [Math.cos(view.azimuth), Math.sin(view.azimuth), Math.cos(view.elevation), Math.sin(view.elevation)];
  }

  const cube = (x, y, z) => [unit(x, data.x), unit(y, data.y), unit(z, data.z[chosen])];

  /** Collects the places and the shapes that are shown: points, and the cells of surfaces. */
  function build() {
    data.z[chosen] = height();
    [places, shapes] = [[], []];
    for (const group of groups) {
      if (!isShown(group.split)) continue;
      for (let row = 0; row < group.x.length; row++) {
        const values = [group.x[row], group.y[row], group.z[chosen][row]];
        if (values.every(Number.isFinite)) {
          places.push({ of: group, label: `${group.title}, row ${group.rows[row]}`, values, at: cube(...values) });
        }
      }
    }
    shapes = places.slice();
    for (const network of networks) {
      if (!isShown(network.name)) continue;
      const z = network.z[chosen];
      const node = (column, row) => {
        const values = [grid(data.x, column), grid(data.y, row), z[row * side + column]];
        return { of: network, label: network.title, values, at: cube(...values) };
      };
      const nodes = Array.from({ length: side * side }, (_, index) => node(index % side, Math.floor(index / side)));
      for (let row = 0; row + 1 < side; row++) {
        for (let column = 0; column + 1 < side; column++) {
          const first = row * side + column;
          const corners = [first, first + 1, first + side + 1, first + side].map((index) => nodes[index]);
          if (corners.every((corner) => Number.isFinite(corner.values[2]))) {
            shapes.push({ of: network, corners, at: middle(corners), light: light(corners), lines: [row % 5 === 0, column % 5 === 0] });
          }
        }
      }
      places.push(...nodes.filter((node) => Number.isFinite(node.values[2])));
    }
    draw();
  }

  const middle = (corners) => [0, 1, 2].map((axis) => corners.reduce((sum, { at }) => sum + at[axis], 0) / 4);

  /** Brightness of a quadrilateral under a lamp that turns with the surface, from 0 to 1. */
  function light([a, b, , d]) {
    const east = (b.at[2] - a.at[2]) * HEIGHT * side / 2, north = (d.at[2] - a.at[2]) * HEIGHT * side / 2;
    return (1 + (0.35 * east - 0.5 * north + 0.8) / Math.hypot(east, north, 1)) / 2;
  }

  /** Rank in the painting, later for nearer. A surface over a plane hides itself correctly in the
      order of the plane, however steep it is; of two, the lower is first when seen from above. A
      point is on top of the cells around it. */
  function order({ at: [x, y, z], corners }) {
    const [ca, sa, , se] = turned;
    return (corners ? 0 : 4 / side) - x * sa - y * ca + 1e-3 * z * Math.sign(se);
  }

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

  function draw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; paint(); });
  }

  function paint() {
    const { width, height, ratio } = screen;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    aim();
    frame();
    for (const place of places) place.seen = project(...place.at);
    for (const shape of shapes) shape.order = order(shape);
    shapes.sort((a, b) => a.order - b.order);
    const colors = new Map([...groups, ...networks].map((of) => [of, color(of.color)]));
    for (const shape of shapes) {
      shape.corners ? cell(shape, rgb(colors.get(shape.of))) : dot(shape, colors.get(shape.of));
    }
    if (picked) {
      context.strokeStyle = color("--text");
      context.lineWidth = 2;
      context.beginPath();
      context.arc(picked.seen[0], picked.seen[1], 6, 0, 7);
      context.stroke();
    }
    label();
  }

  function dot({ seen: [x, y] }, fill) {
    context.fillStyle = fill;
    context.strokeStyle = color("--page");
    context.lineWidth = 0.7;
    context.beginPath();
    context.arc(x, y, Math.min(3, 1.2 + screen.size / 190) * Math.sqrt(view.zoom), 0, 7);
    context.fill();
    context.stroke();
  }

  function cell({ corners, light, lines }, base) {
    const [a, b, c, d] = corners.map((corner) => corner.seen);
    const shade = base.map((channel) => Math.round(light < 0.6 ? channel * (0.35 + light) : channel + (255 - channel) * (light - 0.6)));
    // The edge closes the gap of antialiasing to the next cell.
    context.fillStyle = context.strokeStyle = `rgb(${shade})`;
    context.lineWidth = 0.6;
    context.beginPath();
    for (const [x, y] of [a, b, c, d]) context.lineTo(x, y);
    context.closePath();
    context.fill();
    context.stroke();
    context.strokeStyle = "rgba(0, 0, 0, 0.35)";
    context.beginPath();
    if (lines[0]) { context.moveTo(a[0], a[1]); context.lineTo(b[0], b[1]); }
    if (lines[1]) { context.moveTo(a[0], a[1]); context.lineTo(d[0], d[1]); }
    context.stroke();
  }

  /** Round numbers of a range, about five. */
  function ticks([low, high]) {
    const power = 10 ** Math.floor(Math.log10((high - low) / 4));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => (high - low) / step <= 5);
    const first = Math.ceil(low / step - 1e-9);
    const count = Math.floor(high / step + 1e-9) - first;
    return Array.from({ length: count + 1 }, (_, index) => (first + index) * step);
  }

  const number = (value) => String(Number(value.toPrecision(4))).replace("-", "−");

  /** Floor with its grid, and the three axes with numbers, at the edges that face the viewer. */
  function frame() {
    const ranges = [data.x, data.y, data.z[chosen]];
    const titles = [...data.inputs, data.outputs[chosen]];
    const front = [0, 1].map((axis) => [-1, 1].sort((a, b) =>
      project(...(axis ? [0, b, -1] : [b, 0, -1]))[2] - project(...(axis ? [0, a, -1] : [a, 0, -1]))[2])[0]);
    // The vertical axis stands at the corner farthest to the left.
    const corner = [[-1, -1], [-1, 1], [1, -1], [1, 1]].sort((a, b) => project(...a, 0)[0] - project(...b, 0)[0])[0];
    context.lineWidth = 1;
    context.strokeStyle = color("--line");
    context.fillStyle = color("--faint");
    context.font = "12px ui-sans-serif, system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    const line = (from, to) => {
      const [a, b] = [project(...from), project(...to)];
      context.beginPath(); context.moveTo(a[0], a[1]); context.lineTo(b[0], b[1]); context.stroke();
    };
    for (const axis of [0, 1, 2]) {
      const edge = (place, out) => [
        [place, front[1] * out, -1], [front[0] * out, place, -1], [corner[0] * out, corner[1] * out, place],
      ][axis];
      if (axis === 2) line(edge(-1, 1), edge(1, 1));
      for (const tick of ticks(ranges[axis])) {
        const place = unit(tick, ranges[axis]);
        if (axis === 0) line([place, -1, -1], [place, 1, -1]);
        if (axis === 1) line([-1, place, -1], [1, place, -1]);
        if (axis === 2) line(edge(place, 1), edge(place, 1.03));
        const [x, y] = project(...edge(place, 1.11));
        context.fillText(number(tick), x, y);
      }
      const [x, y] = project(...edge(axis === 2 ? 1.2 : 0, axis === 2 ? 1.05 : 1.3));
      context.fillText(titles[axis], x, y);
    }
    for (const [from, to] of [[[-1, -1], [1, -1]], [[1, -1], [1, 1]], [[1, 1], [-1, 1]], [[-1, 1], [-1, -1]]]) {
      line([...from, -1], [...to, -1]);
    }
  }

  /** The data or grid point under the pointer: the nearest to it of those in front. */
  function under(x, y) {
    let found = [];
    for (const place of places) {
      if (!place.seen) continue;
      const distance = Math.hypot(place.seen[0] - x, place.seen[1] - y);
      if (distance < REACH) found.push({ place, distance });
    }
    const front = found.reduce((most, { place }) => Math.max(most, place.seen[2]), -Infinity);
    // Points lie on both sides of a surface that passes through them.
    found = found.filter(({ place }) => place.seen[2] > front - 0.12);
    const points = found.filter(({ place, distance }) => place.of.split && distance < 5);
    const best = (points.length ? points : found).sort((a, b) => a.distance - b.distance)[0];
    return best ? best.place : null;
  }

  /** Shows the numbers of the picked place beside it. */
  function label() {
    tip.hidden = !picked;
    if (!picked) return;
    const [x, y] = picked.seen;
    tip.style.left = `${Math.max(0, Math.min(x + 14, screen.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${y > tip.offsetHeight + 16 ? y - tip.offsetHeight - 12 : y + 14}px`;
  }

  function pick(place) {
    if (place === picked) return;
    picked = place;
    if (place) {
      const names = [...data.inputs, data.outputs[chosen]];
      const lines = [place.label, ...names.map((name, axis) => `${name} = ${number(place.values[axis])}`)];
      tip.replaceChildren(...lines.map((line) => Object.assign(document.createElement("div"), { textContent: line })));
      tip.style.borderColor = `var(${place.of.color})`;
    }
    draw();
  }

  function turn(azimuth, elevation) {
    view.azimuth += azimuth;
    view.elevation = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, view.elevation + elevation));
    draw();
  }

  function zoom(factor) {
    view.zoom = Math.max(0.4, Math.min(8, view.zoom * factor));
    draw();
  }

  const degrees = (angle) => Math.round(angle * 180 / Math.PI);
  const speak = () => {
    spoken.textContent = `Turned to ${((degrees(view.azimuth) % 360) + 360) % 360} degrees, seen from ` +
      `${degrees(view.elevation)} degrees above, zoom ${number(view.zoom)}.`;
  };

  // One pointer turns, two zoom.
  const pointers = new Map();
  const spread = () => { const [a, b] = [...pointers.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
  const inside = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  canvas.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, inside(event));
    if (event.isTrusted) canvas.setPointerCapture(event.pointerId);
    pick(event.pointerType === "touch" ? under(inside(event).x, inside(event).y) : null);
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = inside(event), before = pointers.get(event.pointerId);
    if (!before) return pick(under(now.x, now.y));
    const apart = pointers.size === 2 ? spread() : 0;
    pointers.set(event.pointerId, now);
    if (pointers.size === 1) turn((now.x - before.x) * 0.008, (now.y - before.y) * 0.008);
    if (apart > 0) zoom(spread() / apart);
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
    canvas.addEventListener(end, (event) => {
      if (pointers.delete(event.pointerId)) speak();
      if (end === "pointerleave" && event.pointerType !== "touch") pick(null);
    });
  }
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * 0.0015));
  }, { passive: false });
  const KEYS = {
    ArrowLeft: () => turn(-0.1, 0), ArrowRight: () => turn(0.1, 0),
    ArrowUp: () => turn(0, 0.1), ArrowDown: () => turn(0, -0.1),
    "+": () => zoom(1.2), "=": () => zoom(1.2), "-": () => zoom(1 / 1.2), Home: reset,
  };
  canvas.addEventListener("keydown", (event) => {
    if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    KEYS[event.key]();
    speak();
  });

  function reset() { Object.assign(view, START); draw(); }
  document.getElementById("reset").addEventListener("click", () => { reset(); speak(); });
  for (const box of document.querySelectorAll("[id^=show-]")) {
    box.addEventListener("change", () => { pick(null); build(); });
  }
  const output = document.getElementById("output");
  if (output) output.addEventListener("change", () => { chosen = output.selectedIndex; pick(null); build(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  function resize() {
    const width = canvas.clientWidth, height = canvas.clientHeight, ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    screen = { width, height, ratio, size: Math.min(width / 3.4, height / 2.6) };
    draw();
  }
  new ResizeObserver(resize).observe(canvas);
  resize();
  build();

  // For other scripts: where a point of the data's space lies on the canvas, in CSS pixels.
  window.surface = { place: (x, y, z) => { aim(); return project(...cube(x, y, z)).slice(0, 2); }, paint };
})();
