// The answer to one input: bars of both networks, or values with their units.

/** Bars that are drawn at most; the largest are shown of more classes. */
const MOST_BARS = 20;

class AnswerView {
  constructor(page) {
    this.page = page;
    this.spoken = make("p", { class: "answer", "aria-live": "polite" });
    this.bars = make("div", { class: "bars" });
    this.notes = make("p", { class: "faint" });
    this.moved = make("div", {});
    this.element = make("div", { class: "answers" }, make("h3", {}, "Answer"), this.spoken, this.bars, this.notes, this.moved);
  }

  show(answer, float) {
    const { model } = this.page.engine;
    this.spoken.textContent = spokenAnswer(model, answer);
    const each = shares(model, answer);
    this.bars.replaceChildren(...(model.output.kind === "values" ? this.values(each, float) : this.classes(answer, each, float)));
    const notes = [];
    if (answer.saturated > 0) notes.push(`${answer.saturated} of ${model.input.len} readings saturate.`);
    if (areLogits(model)) notes.push("The probabilities are the softmax of the model's outputs.");
    if (!float && this.page.floatMissing) notes.push(`${this.page.floatMissing}.`);
    this.notes.textContent = notes.join(" ");
  }

  classes(answer, each, float) {
    const { model } = this.page.engine;
    const isShare = areProbabilities(model);
    const [low, high] = isShare ? [0, 1] : [Math.min(...each), Math.max(...each)];
    const part = (value) => (high > low ? Math.max(0, Math.min(1, (value - low) / (high - low))) : 0);
    const order = each.map((_, index) => index);
    if (order.length > MOST_BARS) order.sort((a, b) => each[b] - each[a]).splice(MOST_BARS);
    const text = (value) => (isShare ? percent(value) : number(value));
    const bar = (kind, value, title) => make("div", { class: `bar ${kind}`, title }, make("span", { style: `width: ${100 * part(value)}%` }), make("em", {}, text(value)));
    const rows = order.map((index) => make("div", { class: index === answer.class ? "row best-row" : "row" },
      make("b", { title: model.output.labels[index] }, model.output.labels[index]),
      make("div", {}, bar("int8", each[index], this.page.dataType), float ? bar("float", float[index], "float") : null)));
    return [this.key(float), ...rows];
  }

  values(each, float) {
    const { model } = this.page.engine;
    const names = outputNames(model);
    return each.map((value, index) => make("div", { class: "value" },
      make("b", {}, names[index]), make("span", { class: "big" }, number(value)), ` ${outputUnit(model, index)} `,
      float ? make("span", { class: "faint" }, `float: ${number(float[index])} ${outputUnit(model, index)}`) : null));
  }

  key(float) {
    return make("ul", { class: "key" }, make("li", { class: "swatch-second" }, `${this.page.dataType}, the engine`),
      float ? make("li", { class: "swatch-first" }, "float network") : null);
  }

  /** Shows which features moved the answer most. */
  showMoved(changes) {
    const { model } = this.page.engine;
    const isShare = model.output.kind !== "values" && areProbabilities(model);
    const text = (change) => (change >= 0 ? "+" : "−") + (isShare ? `${(100 * Math.abs(change)).toFixed(1)} points` : number(Math.abs(change)));
    const shown = changes.filter(({ change }) => change !== 0).slice(0, 5);
    this.moved.replaceChildren(
      make("h3", {}, "Features that moved it most"),
      make("p", { class: "faint" }, "Each alone is compared with the middle of its range, all others as they are."),
      shown.length > 0
        ? table(["feature", "moves the answer by"], shown.map(({ feature, change }) => [feature.name, text(change)]))
        : make("p", {}, "None: the answer stays the same."));
  }
}
