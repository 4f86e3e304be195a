// The values of each layer as a strip, and its cost on a core.

/** Cells of a line of a strip. */
const LINE = 64;

class LayersView {
  constructor(page) {
    this.page = page;
    const { model } = page.engine;
    this.core = make("select", { autocomplete: "off" }, ...Object.keys(CORES).map((core) => make("option", { selected: core === "Cortex-M4F" }, core)));
    this.core.addEventListener("change", () => this.costs());
    const strip = (title) => {
      const canvas = make("canvas", { class: "strip", role: "img", hidden: true, "aria-label": `${title}: no input yet` });
      return { canvas, text: make("span", { class: "faint" }), title };
    };
    this.strips = [strip("input"), ...model.layers.map((layer, index) => strip(`layer ${index}: ${layer.kind}, ${layer.outputs}`))];
    this.costTable = make("div", {});
    this.element = section("Layer by layer",
      make("ul", { class: "key" }, make("li", { class: "swatch-second" }, "above the zero point"), make("li", { class: "swatch-first" }, "below"),
        make("li", { class: "swatch-neutral" }, "zero"), make("li", { class: "swatch-saturated" }, "saturated: least or largest value")),
      ...this.strips.map(({ canvas, text, title }) => make("figure", { class: "layer-strip" }, make("figcaption", {}, `${title} `, text), canvas)),
      labelled("Core", this.core), this.costTable);
    this.costs();
  }

  show(answer) {
    const { input, layers } = this.page.engine.model;
    const ends = (bits) => (bits === 8 ? [-128, 127] : [-32768, 32767]);
    const all = [{ values: answer.input, tensor: input.tensor, range: ends(input.tensor.bits), isReading: input.encoding !== "pixels" },
      ...layers.map((layer, index) => ({ values: answer.layers[index], tensor: layer.tensor, range: ends(layer.tensor.bits), isReading: true }))];
    all.forEach((each, index) => this.paint(this.strips[index], each));
  }

  paint({ canvas, text, title }, { values, tensor, range, isReading }) {
    const zero = tensor.zero_point, [low, high] = range;
    canvas.hidden = false;
    const width = Math.min(LINE, values.length), height = Math.ceil(values.length / LINE);
    [canvas.width, canvas.height] = [width, height];
    canvas.style.aspectRatio = `${width} / ${height}`;
    canvas.style.width = `min(100%, ${Math.max(40, width * 14)}px)`;
    const image = new ImageData(width, height);
    const [above, below, none, full] = ["--second-rgb", "--first-rgb", "--line-rgb", "--saturated-rgb"].map((name) => cssColor(name).split(",").map(Number));
    let zeros = 0, saturated = 0;
    values.forEach((value, index) => {
      const isZero = value === zero, isEnd = !isZero && isReading && (value === low || value === high);
      zeros += isZero;
      saturated += isEnd;
      const share = value > zero ? (value - zero) / (high - zero) : (zero - value) / (zero - low || 1);
      const color = isZero ? none : isEnd ? full : value > zero ? above : below;
      image.data.set([...color, isZero || isEnd ? 255 : 60 + 195 * share], 4 * index);
    });
    canvas.getContext("2d").putImageData(image, 0, 0);
    text.textContent = `values, ${zeros} zero, ${saturated} saturated`;
    canvas.setAttribute("aria-label", `${title}: ${values.length} values, ${zeros} zero, ${saturated} saturated`);
  }

  costs() {
    const { layers, input } = this.page.engine.model;
    const { costs } = this.page.data;
    const total = callCost(this.core.value, costs, layers[0]);
    const shown = (cost) => (cost === null ? "–" : grouped(cost));
    let bits = input.tensor.bits;
    const rows = layers.map((layer, index) => {
      const cost = layerCost(this.core.value, costs, layer, bits);
      bits = layer.tensor.bits;
      if (!cost) return [`${index}: ${layer.kind}`, String(layer.macs), "–", "–"];
      cost.forEach((each, at) => (total[at] = total[at] === null ? null : total[at] + each));
      return [`${index}: ${layer.kind} ${layer.inputs} → ${layer.outputs}`, grouped(layer.macs), ...cost.map(shown)];
    });
    rows.push(["all, and the call", grouped(layers.reduce((sum, layer) => sum + layer.macs, 0)), ...total.map(shown)]);
    this.costTable.replaceChildren(
      table(["layer", "products", "cycles", "instructions"], rows),
      make("p", { class: "faint" }, "Products are multiply-accumulates. Cycles and instructions are estimates for an input without zeros and a model packed " +
        "for the core, by the documented timings of the core at memory without wait states. Other layers than dense ones of int8 were not measured."));
  }
}

const grouped = (count) => count.toLocaleString("en-US");
