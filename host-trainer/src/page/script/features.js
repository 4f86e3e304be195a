// A slider and a number per feature, with marks where a reading saturates.

/** Sliders at most; other features of wider models keep the middle of their range. */
const MOST_SLIDERS = 64;
/** Room beyond the range of the input, as a share of it. */
const BEYOND = 0.1;

class FeatureInput {
  constructor(page) {
    this.page = page;
    this.features = featuresOf(page.engine.model);
    this.readings = this.features.map((feature) => this.middle(feature));
    this.controls = this.features.slice(0, MOST_SLIDERS).map((feature) => this.control(feature));
    const more = this.features.length - this.controls.length;
    this.element = make("div", { class: "features" },
      make("p", { class: "faint" }, "Marks show the range of the input: readings beyond it saturate."),
      ...this.controls.map(({ element }) => element),
      more > 0 ? make("p", { class: "faint" }, `${more} more features keep the middle of their range; rows of a table set them all.`) : null,
      button("Middle of all ranges", () => this.set(this.features.map((feature) => this.middle(feature)))));
  }

  middle({ low, high, step }) {
    const middle = (low + high) / 2;
    return this.page.engine.model.input.encoding === "reals" ? Number(middle.toPrecision(6)) : Math.round(middle / step) * step;
  }

  control(feature) {
    const { index, low, high, unit, name, isIgnored, real } = feature;
    const isReal = this.page.engine.model.input.encoding === "reals";
    const width = high - low, step = isReal ? width / 500 : feature.step;
    const isPixel = this.page.engine.model.input.encoding === "pixels";
    const beyond = isPixel ? 0 : width * BEYOND;
    const [least, most] = isIgnored || isReal ? [low - beyond, high + beyond] : [Math.ceil((low - beyond) / step) * step, Math.floor((high + beyond) / step) * step];
    const slider = make("input", { type: "range", min: String(least), max: String(most), step: isReal ? "any" : String(step), autocomplete: "off" });
    const box = make("input", { type: "number", step: "any", autocomplete: "off", "aria-label": `${name}${unit && `, in ${unit}`}` });
    const note = make("span", { class: "note-inline", role: "status" });
    const place = (value) => `${100 * (value - least) / (most - least)}%`;
    const marks = make("span", { class: "marks", "aria-hidden": "true" }, make("i", { style: `left: ${place(low)}` }), make("i", { style: `left: ${place(high)}` }));
    const title = unit ? `${name} (${unit})` : name;
    const label = labelled(title, slider, { class: "feature" });
    label.querySelector("label").append(make("small", {}, isIgnored ? " not used by the model" : ` ${number(low)} to ${number(high)}`));
    label.append(marks, box, note);
    const show = () => {
      const value = this.readings[index];
      slider.value = String(value);
      slider.setAttribute("aria-valuetext", `${number(value)} ${unit}`);
      if (document.activeElement !== box) box.value = String(isReal ? Number(value.toPrecision(7)) : value);
      const beyondRange = !isIgnored && (value < low - feature.step / 2 || value > high + feature.step / 2);
      note.textContent = beyondRange ? "saturates" : real ? real(value) : "";
      note.classList.toggle("bad", beyondRange);
    };
    const take = (text) => {
      const value = Number(text);
      if (text.trim() === "" || !Number.isFinite(value)) return;
      this.readings[index] = isReal ? value : Math.max(-32768, Math.min(32767, Math.round(value / feature.step) * feature.step));
      if (isPixel) this.readings[index] = Math.max(0, Math.min(255, this.readings[index]));
      show();
      this.page.answer();
    };
    slider.addEventListener("input", () => take(slider.value));
    box.addEventListener("input", () => take(box.value));
    show();
    return { element: label, show };
  }

  set(readings) {
    this.readings = Array.from(readings);
    this.controls.forEach(({ show }) => show());
    this.page.answer();
  }

  /** The readings, for the engine and for the float network. */
  current() {
    return { readings: this.readings, floats: this.page.forFloat(this.readings) };
  }
}
