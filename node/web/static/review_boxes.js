// Boxes that a person draws over a frame: by mouse, pen, finger or keyboard. They are kept in pixels of the image, as
// [left, top, right, bottom, first frame, last frame], the last frame 0 for "to the end".
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const LEAST_PX = 2;

export class Boxes {
  constructor(svg, table, changed) {
    this.svg = svg;
    this.table = table;
    this.changed = changed;
    this.list = [];
    this.size = { columns: 1, rows: 1, frames: 1 };
    this.frame = 1;
    this.isDrawing = false;
    this.draft = null;
    svg.addEventListener("pointerdown", (event) => this.begin(event));
    svg.addEventListener("pointermove", (event) => this.extend(event));
    svg.addEventListener("pointerup", (event) => this.finish(event));
    svg.addEventListener("pointercancel", () => this.drop());
  }

  set(list) { this.list = list.map((box) => [...box]); this.show(); this.tell(); }

  setSize(size) { this.size = size; this.svg.setAttribute("viewBox", `0 0 ${size.columns} ${size.rows}`); this.show(); this.tell(); }

  setFrame(frame) { this.frame = frame; this.show(); }

  setDrawing(isDrawing) { this.isDrawing = isDrawing; this.svg.classList.toggle("drawing", isDrawing); this.drop(); }

  // By pointer

  at(event) {
    const area = this.svg.getBoundingClientRect();
    const x = ((event.clientX - area.left) / area.width) * this.size.columns;
    const y = ((event.clientY - area.top) / area.height) * this.size.rows;
    return [clamp(x, 0, this.size.columns), clamp(y, 0, this.size.rows)];
  }

  begin(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    const moved = event.target.closest("[data-index]");
    if (!moved && !this.isDrawing) return;
    event.preventDefault();
    this.svg.setPointerCapture(event.pointerId);
    const from = this.at(event);
    if (moved) {
      const index = Number(moved.dataset.index);
      this.draft = { from, index, box: [...this.list[index]] };
      this.focus(index);
    } else {
      this.draft = { from, index: -1, to: from };
    }
  }

  extend(event) {
    if (!this.draft) return;
    const to = this.at(event);
    if (this.draft.index >= 0) {
      const [x, y] = [Math.round(to[0] - this.draft.from[0]), Math.round(to[1] - this.draft.from[1])];
      this.list[this.draft.index] = this.moved(this.draft.box, x, y);
      this.place(this.draft.index);
    } else {
      this.draft.to = to;
      this.showDraft();
    }
  }

  finish(event) {
    if (!this.draft) return;
    this.extend(event);
    const { index, from, to } = this.draft;
    this.drop();
    if (index < 0) {
      const [left, right] = [Math.floor(Math.min(from[0], to[0])), Math.ceil(Math.max(from[0], to[0]))];
      const [top, bottom] = [Math.floor(Math.min(from[1], to[1])), Math.ceil(Math.max(from[1], to[1]))];
      if (right - left < LEAST_PX || bottom - top < LEAST_PX) return;
      this.add([left, top, right, bottom, 1, 0]);
    } else {
      this.tell();
    }
  }

  drop() { this.draft = null; this.svg.querySelector(".draft")?.remove(); }

  showDraft() {
    const { from, to } = this.draft;
    let rect = this.svg.querySelector(".draft");
    if (!rect) { rect = document.createElementNS(SVG, "rect"); rect.classList.add("draft"); this.svg.append(rect); }
    put(rect, [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])]);
  }

  // By keyboard and by number

  addInMiddle() {
    const { columns, rows } = this.size;
    const [x, y] = [Math.round(columns * 0.4), Math.round(rows * 0.45)];
    this.add([x, y, Math.max(Math.round(columns * 0.6), x + 1), Math.max(Math.round(rows * 0.55), y + 1), 1, 0]);
  }

  add(box) { this.list.push(box); this.show(); this.tell(); this.focus(this.list.length - 1); }

  remove(index) {
    this.list.splice(index, 1);
    this.show();
    this.tell();
    if (this.list.length) this.focus(Math.min(index, this.list.length - 1));
  }

  key(event, index) {
    const step = event.altKey ? 1 : Math.max(1, Math.round(this.size.columns / 100));
    const [x, y] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] || [0, 0];
    if (event.key === "Delete" || event.key === "Backspace") { event.preventDefault(); this.remove(index); return; }
    if (!x && !y) return;
    event.preventDefault();
    const box = this.list[index];
    if (event.shiftKey) {
      box[2] = clamp(box[2] + x, box[0] + 1, this.size.columns);
      box[3] = clamp(box[3] + y, box[1] + 1, this.size.rows);
    } else {
      this.list[index] = this.moved(box, x, y);
    }
    this.place(index);
    this.tell();
  }

  moved([left, top, right, bottom, first, last], x, y) {
    const [byX, byY] = [clamp(x, -left, this.size.columns - right), clamp(y, -top, this.size.rows - bottom)];
    return [left + byX, top + byY, right + byX, bottom + byY, first, last];
  }

  focus(index) { this.svg.querySelector(`[data-index="${index}"]`)?.focus({ preventScroll: true }); }

  // On the page

  show() {
    for (const old of this.svg.querySelectorAll("[data-index]")) old.remove();
    this.list.forEach((box, index) => {
      const [, , , , first, last] = box;
      if (this.frame < first || (last && this.frame > last)) return;
      const rect = document.createElementNS(SVG, "rect");
      rect.classList.add("drawn");
      rect.dataset.index = String(index);
      rect.setAttribute("tabindex", "0");
      rect.setAttribute("role", "button");
      rect.addEventListener("keydown", (event) => this.key(event, index));
      this.svg.append(rect);
      this.place(index);
    });
  }

  place(index) {
    const rect = this.svg.querySelector(`[data-index="${index}"]`);
    if (!rect) return;
    const [left, top, right, bottom] = this.list[index];
    put(rect, this.list[index]);
    rect.setAttribute("aria-label", `Box ${index + 1}: from ${left}, ${top} to ${right}, ${bottom}. Arrow keys move it.`);
  }

  tell() {
    const body = this.table.tBodies[0];
    if (body.contains(document.activeElement) && body.rows.length === this.list.length) {
      this.list.forEach((box, index) => this.fill(body.rows[index], box)); // the field that is typed into stays
    } else {
      body.replaceChildren(...this.list.map((box, index) => this.row(box, index)));
    }
    this.table.hidden = !this.list.length;
    this.changed(this.list);
  }

  row(box, index) {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = String(index + 1);
    row.append(head);
    ["Left", "Top", "Right", "Bottom", "From frame", "To frame"].forEach((name, place) => {
      const input = document.createElement("input");
      input.type = "number";
      input.setAttribute("aria-label", `${name}, box ${index + 1}`);
      if (place === 5) input.placeholder = "last";
      input.addEventListener("change", () => { this.set(this.list.map((each, at) => (at === index ? this.typed(each, place, input.value) : each))); });
      row.insertCell().append(input);
    });
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "small";
    remove.textContent = "Remove";
    remove.setAttribute("aria-label", `Remove box ${index + 1}`);
    remove.addEventListener("click", () => this.remove(index));
    row.insertCell().append(remove);
    this.fill(row, box);
    return row;
  }

  fill(row, box) {
    row.querySelectorAll("input").forEach((input, place) => {
      if (input !== document.activeElement) input.value = place === 5 && !box[5] ? "" : String(box[place]);
    });
  }

  typed(box, place, text) {
    const { columns, rows, frames } = this.size;
    const fresh = [...box];
    const value = Math.round(Number(text) || 0);
    if (place === 5) fresh[5] = text.trim() ? clamp(value, fresh[4], frames) : 0;
    else if (place === 4) { fresh[4] = clamp(value, 1, frames); if (fresh[5]) fresh[5] = Math.max(fresh[4], fresh[5]); }
    else if (place === 0) fresh[0] = clamp(value, 0, fresh[2] - 1);
    else if (place === 1) fresh[1] = clamp(value, 0, fresh[3] - 1);
    else if (place === 2) fresh[2] = clamp(value, fresh[0] + 1, columns);
    else fresh[3] = clamp(value, fresh[1] + 1, rows);
    return fresh;
  }
}

export function put(rect, [left, top, right, bottom]) {
  const places = { x: left, y: top, width: right - left, height: bottom - top };
  for (const [name, value] of Object.entries(places)) rect.setAttribute(name, String(value));
}

export function clamp(value, least, most) { return Math.min(Math.max(value, least), most); }
