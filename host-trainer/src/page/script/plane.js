// The answers over the plane of two inputs, with a point that is dragged.

/** Cells of the plane per side. */
const CELLS = 96;
/** Colors of classes, distinguishable in any mix: Okabe and Ito. */
const CLASS_COLORS = [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [230, 159, 0], [86, 180, 233], [240, 228, 66], [128, 128, 128]];
/** Ends and middle of the color scale of values. */
const SCALE = [[33, 60, 140], [235, 235, 225], [178, 60, 20]];

class PlaneView {
  constructor(page) {
    this.page = page;
    const { model } = page.engine;
    this.output = 0;
    const names = outputNames(model);
    this.planes = [{ name: page.dataType, isFloat: false }, ...(page.float ? [{ name: "float", isFloat: true }] : [])]
      .map((plane) => ({ ...plane, canvas: this.canvas(plane.name) }));
    const choice = make("select", { autocomplete: "off" }, ...names.map((name) => make("option", {}, name)));
    choice.addEventListener("change", () => {
      this.output = choice.selectedIndex;
      this.fill();
    });
    const [x, y] = page.features;
    this.legend = make("p", { class: "faint" });
    this.element = section(model.output.kind === "values" ? "Surface" : "Regions",
      make("p", { class: "faint" }, `${x.name} from left to right, ${y.name} from bottom to top. Drag the point, or move it by arrow keys.`),
      model.output.kind === "values" && names.length > 1 ? labelled("Output", choice) : null,
      make("div", { class: "planes" }, ...this.planes.map(({ name, canvas }) => make("figure", {}, make("figcaption", {}, name), canvas))),
      this.legend);
    this.fill();
  }

  canvas(name) {
    const [x, y] = this.page.features;
    const canvas = make("canvas", {
      width: CELLS, height: CELLS, class: "plane", tabindex: "0", role: "img",
      "aria-label": `Answers of the ${name} network over ${x.name} and ${y.name}. Arrow keys move the point.`,
    });
    const move = (event) => {
      const box = canvas.getBoundingClientRect();
      this.move((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
    };
    let isDragging = false;
    canvas.addEventListener("pointerdown", (event) => {
      isDragging = true;
      if (event.isTrusted) canvas.setPointerCapture(event.pointerId);
      move(event);
    });
    canvas.addEventListener("pointermove", (event) => isDragging && move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { isDragging = false; });
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    canvas.addEventListener("keydown", (event) => {
      if (!steps[event.key]) return;
      event.preventDefault();
      const [px, py] = this.place();
      this.move(px + steps[event.key][0] / CELLS, py + steps[event.key][1] / CELLS);
    });
    return canvas;
  }

  /** The point, as shares of the ranges. */
  place() {
    return this.page.features.map(({ index, low, high }) => (this.page.input.readings[index] - low) / (high - low));
  }

  reading({ low, high, step }, share) {
    const value = low + Math.max(0, Math.min(1, share)) * (high - low);
    return this.page.engine.model.input.encoding === "reals" ? value : Math.round(value / step) * step;
  }

  move(...shares) {
    this.page.input.set(this.page.features.map((feature, index) => this.reading(feature, shares[index])));
  }

  /** Computes all cells of both networks, and draws them. */
  fill() {
    const { engine, float, features } = this.page, { model } = engine;
    const isClasses = model.output.kind !== "values";
    for (const plane of this.planes) {
      plane.cells = Array.from({ length: CELLS * CELLS }, (_, at) => {
        const share = [(at % CELLS + 0.5) / CELLS, 1 - (Math.floor(at / CELLS) + 0.5) / CELLS];
        const readings = features.map((feature, index) => this.reading(feature, share[index]));
        if (plane.isFloat) {
          const each = float.shares(this.page.forFloat(readings));
          return isClasses ? [each.indexOf(Math.max(...each)), Math.max(...each)] : each[this.output];
        }
        const answer = engine.run(readings), each = shares(model, answer);
        return isClasses ? [answer.class, each[answer.class]] : each[this.output];
      });
    }
    const values = this.planes.flatMap(({ cells }) => (isClasses ? [] : cells)).filter(Number.isFinite);
    this.range = values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    for (const plane of this.planes) plane.image = this.image(plane.cells, isClasses);
    const names = outputNames(model);
    this.legend.replaceChildren(...(isClasses
      ? names.slice(0, 24).map((name, index) => make("span", { class: "chip", style: `--swatch: rgb(${CLASS_COLORS[index % CLASS_COLORS.length]})` }, name))
      : [`${names[this.output]} from ${number(this.range[0])} (blue) to ${number(this.range[1])} (red) ${outputUnit(model, this.output)}`]));
    this.paint();
  }

  image(cells, isClasses) {
    const image = new ImageData(CELLS, CELLS), isShare = areProbabilities(this.page.engine.model);
    const mix = (a, b, share) => a.map((channel, index) => channel + (b[index] - channel) * share);
    cells.forEach((cell, at) => {
      let color;
      if (isClasses) {
        const [winner, share] = cell;
        color = mix([255, 255, 255], CLASS_COLORS[winner % CLASS_COLORS.length], isShare ? 0.25 + 0.75 * Math.max(0, Math.min(1, share)) : 0.8);
      } else {
        const share = (cell - this.range[0]) / (this.range[1] - this.range[0] || 1);
        color = share < 0.5 ? mix(SCALE[0], SCALE[1], 2 * share) : mix(SCALE[1], SCALE[2], 2 * share - 1);
      }
      image.data.set([...color, 255], 4 * at);
    });
    return image;
  }

  paint() {
    const [px, py] = this.place();
    for (const { canvas, image } of this.planes) {
      const context = canvas.getContext("2d");
      context.putImageData(image, 0, 0);
      const [x, y] = [px * CELLS, (1 - py) * CELLS];
      for (const [color, width] of [["#ffffff", 3], ["#000000", 1.2]]) {
        [context.strokeStyle, context.lineWidth] = [color, width];
        context.beginPath();
        context.arc(x, y, 2.5, 0, 7);
        context.stroke();
      }
    }
  }
}
