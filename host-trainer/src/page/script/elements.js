// Elements of the page. Text is always text: no label becomes markup.

/** Makes an element with attributes or properties, and children: elements or text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const button = (text, onclick, attributes = {}) => make("button", { type: "button", onclick, ...attributes }, text);

let ids = 0;
/** A label with its control. */
function labelled(text, control, attributes = {}) {
  control.id ||= `thimble-${++ids}`;
  return make("div", { class: "field", ...attributes }, make("label", { for: control.id }, text), control);
}

function section(title, ...children) {
  return make("section", {}, make("h2", {}, title), ...children);
}

/** A table from rows of text; the first cell of each is its header. */
function table(columns, rows, attributes = {}) {
  const head = make("thead", {}, make("tr", {}, ...columns.map((column) => make("th", { scope: "col" }, column))));
  const body = make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell, index) => (index === 0
    ? make("th", { scope: "row" }, cell)
    : make("td", { "data-column": columns[index] }, cell))))));
  return make("table", { class: "stack", ...attributes }, head, body);
}

const cssColor = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Offers a file to be saved. */
function save(name, parts, type) {
  const link = make("a", { href: URL.createObjectURL(new Blob(parts, { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Lets an element take files that are dropped on it. */
function takesFiles(element, onfile) {
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("over");
  });
  for (const end of ["dragleave", "drop"]) element.addEventListener(end, () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    const [file] = event.dataTransfer.files;
    if (file) onfile(file);
  });
}

/** A button that chooses a file. */
function fileButton(text, accept, onfile) {
  const input = make("input", { type: "file", accept, class: "spoken", tabindex: "-1", "aria-label": text });
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = "";
    if (file) onfile(file);
  });
  return make("span", {}, button(text, () => input.click()), input);
}

/** A line that says what went wrong or how it goes, also to screen readers. */
function statusLine() {
  const line = make("p", { class: "status", role: "status" });
  line.say = (text, isBad = false) => {
    line.textContent = text;
    line.classList.toggle("bad", isBad);
  };
  return line;
}
