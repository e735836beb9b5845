// The page of a refused instance: its frames as they came and as they would leave, with a window of one's own, what is
// masked, boxes to draw, and the header.
"use strict";
import { Boxes, put } from "./review_boxes.js";

const SVG = "http://www.w3.org/2000/svg";
const LARGE_PX = 4096;
const POLL_MS = 1000;
const SETTLE_MS = 120;

const viewer = document.getElementById("viewer");
const base = viewer.dataset.base;
const of = (id) => document.getElementById(id);
const token = of("csrf").dataset.csrf;

const state = { frame: 1, frames: 1, columns: 1, rows: 1, window: null, usual: null, trial: "", masked: [], hasFrames: false };
const panes = { before: pane("before"), after: pane("after") };
const boxes = new Boxes(panes.before.svg, of("boxes"), (list) => {
  document.querySelector("#decide [name=boxes]").value = JSON.stringify(list);
  of("mask").disabled = !list.length;
  viewer.dataset.count = String(list.length);
});

function pane(id) {
  const figure = of(id);
  return {
    figure,
    stage: figure.querySelector(".stage"),
    sheet: figure.querySelector(".sheet"),
    img: figure.querySelector("img"),
    svg: figure.querySelector("svg"),
    said: figure.querySelector(".state"),
    ask: null,
  };
}

function say(where, text) { where.said.textContent = text; where.said.hidden = !text; }

// Only what can be seen can be drawn on; the place of a frame is kept free, so that nothing moves when it comes.
function setShown(where, isShown) { where.sheet.classList.toggle("shown", isShown); }

// Frames

function query(side) {
  const largest = of("large").checked ? LARGE_PX : Math.min(Math.ceil(panes.before.stage.clientWidth * devicePixelRatio) || 800, 1600);
  const wanted = new URLSearchParams({ frame: String(state.frame), edge: String(Math.max(largest, 256)) });
  const shown = state.window || (side === "after" && state.usual?.isGuessed ? state.usual : null); // both sides alike
  if (shown) { wanted.set("centre", String(shown.centre)); wanted.set("width", String(shown.width)); }
  if (side === "after") wanted.set("trial", state.trial);
  return wanted;
}

async function draw(side) {
  const where = panes[side];
  where.ask?.abort();
  if (!state.hasFrames || (side === "after" && !state.trial)) return;
  const ask = (where.ask = new AbortController());
  where.figure.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(`${base}/frame?${query(side)}`, { signal: ask.signal });
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok) throw new Error((await answer.text()).trim());
    const address = URL.createObjectURL(await answer.blob());
    const old = where.img.src;
    where.img.src = address;
    await where.img.decode();
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
    where.img.alt = side === "before" ? `Frame ${state.frame} as it came` : `Frame ${state.frame} as it would leave`;
    setShown(where, true);
    viewer.dataset[`${side}Frame`] = String(state.frame); // what a test waits for
    say(where, "");
  } catch (error) {
    if (error.name === "AbortError") return;
    setShown(where, false);
    say(where, error.message || "It can't be shown.");
  } finally {
    if (where.ask === ask) where.figure.removeAttribute("aria-busy");
  }
}

let settling = 0;
function drawSoon() { clearTimeout(settling); settling = setTimeout(() => { draw("before"); draw("after"); }, SETTLE_MS); }

async function learn() {
  const answer = await fetch(`${base}/facts?frame=${state.frame}`);
  if (!answer.ok) { say(panes.before, (await answer.text()).trim()); return; }
  const facts = await answer.json();
  if (facts === null) { say(panes.before, "It has no frames."); return; }
  Object.assign(state, { hasFrames: true, frames: facts.frames, columns: facts.columns, rows: facts.rows });
  for (const { svg, sheet } of Object.values(panes)) {
    svg.setAttribute("viewBox", `0 0 ${facts.columns} ${facts.rows}`);
    sheet.style.aspectRatio = `${facts.columns} / ${facts.rows}`;
  }
  boxes.setSize(facts);
  of("add").disabled = false;
  of("frames").hidden = facts.frames < 2;
  of("frame").max = String(facts.frames);
  of("window").hidden = !facts.has_window;
  if (facts.has_window) setWindowLimits(facts);
}

function setWindowLimits(facts) {
  state.usual = { centre: facts.centre, width: facts.width, isGuessed: !facts.is_declared };
  const span = Math.max(facts.highest - facts.lowest, facts.width, 1e-6);
  Object.assign(of("centre"), { min: String(Math.min(facts.lowest, facts.centre)), max: String(Math.max(facts.highest, facts.centre)) });
  Object.assign(of("width"), { min: String(span / 1000), max: String(Math.max(span, facts.width)) });
  showWindow(state.window || state.usual);
}

function showWindow({ centre, width }) {
  of("centre").value = String(centre);
  of("width").value = String(width);
  const short = (value) => (Math.abs(value) >= 10 ? value.toFixed(0) : value.toPrecision(3));
  of("window-values").textContent = `${short(centre)} / ${short(width)}`;
}

function setFrame(frame) {
  state.frame = Math.min(Math.max(frame, 1), state.frames);
  of("frame").value = String(state.frame);
  of("frame-number").textContent = `${state.frame} of ${state.frames}`;
  of("earlier").disabled = state.frame === 1;
  of("later").disabled = state.frame === state.frames;
  boxes.setFrame(state.frame);
  showMasked();
  drawSoon();
}

// What would come of it

let turn = 0;
async function tryOut() {
  const mine = ++turn;
  of("try").disabled = true;
  say(panes.after, "It is being cleaned to see what comes of it…");
  setShown(panes.after, false);
  delete viewer.dataset.tried;
  const form = new URLSearchParams({ boxes: JSON.stringify(boxes.list) });
  try {
    let result = null;
    while (mine === turn && !result?.ready) {
      if (result) await new Promise((resume) => setTimeout(resume, POLL_MS));
      const answer = await fetch(`${base}/trial`, { method: "POST", body: form, headers: { "X-CSRF-Token": token } });
      if (answer.status === 401) { location.reload(); return; }
      if (!answer.ok) throw new Error((await answer.text()).trim());
      result = await answer.json();
    }
    if (mine === turn) show(result);
  } catch (error) {
    if (mine === turn) { state.trial = ""; say(panes.after, error.message || "It could not be tried."); }
  } finally {
    if (mine === turn) { of("try").disabled = false; viewer.dataset.tried = "yes"; }
  }
}

function show(result) {
  state.masked = result.masked;
  state.trial = result.refused ? "" : result.trial;
  showMasked();
  list(result.masked);
  if (result.refused) {
    say(panes.after, `It would be refused (again): ${result.meaning} ${result.refused}`);
  } else if (!state.hasFrames) {
    say(panes.after, "It would leave.");
  } else {
    draw("after");
  }
  const count = result.masked.length;
  of("found").textContent = [
    result.skipped ? "The profile looks for no text in pixels." : `${count} box${count === 1 ? "" : "es"} masked.`,
    result.doubt ? `Only if you approve: ${result.doubt}` : "",
    result.needs_series ? "Faces are not shown removed here: that needs the whole series." : "",
  ].filter(Boolean).join(" ");
}

function isHere(frames) { return frames.some(([first, last]) => first <= state.frame && state.frame <= last); }

function showMasked() {
  for (const { svg } of Object.values(panes)) {
    for (const old of svg.querySelectorAll(".masked")) old.remove();
    for (const { box, why, name, frames } of state.masked) {
      if (name.startsWith("overlay") || !isHere(frames)) continue;
      const rect = document.createElementNS(SVG, "rect");
      rect.classList.add("masked");
      const title = document.createElementNS(SVG, "title");
      title.textContent = [why, name].filter(Boolean).join(": ");
      rect.append(title);
      put(rect, box);
      svg.prepend(rect);
    }
  }
}

function list(masked) {
  const lines = masked.slice(0, 200).map(({ box, why, name, frames }) => {
    const line = document.createElement("li");
    const numbers = frames.map(([first, last]) => (first === last ? String(first) : `${first}–${last}`)).join(", ");
    line.textContent = `${[why, name].filter(Boolean).join(": ")} — ${box.join(", ")}; frame ${numbers}`;
    return line;
  });
  of("masked").querySelector("ul").replaceChildren(...lines);
  of("masked").hidden = !lines.length;
}

// Header

async function showHeader() {
  const part = of("header");
  const answer = await fetch(of("show-header").dataset.path);
  const text = await answer.text();
  if (!answer.ok) { part.textContent = text; return; }
  part.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
}

// Controls

function setDrawing(isDrawing) {
  of("draw").setAttribute("aria-pressed", String(isDrawing));
  boxes.setDrawing(isDrawing);
}

of("frame").addEventListener("input", () => setFrame(Number(of("frame").value)));
of("earlier").addEventListener("click", () => setFrame(state.frame - 1));
of("later").addEventListener("click", () => setFrame(state.frame + 1));
for (const id of ["centre", "width"]) {
  of(id).addEventListener("input", () => {
    state.window = { centre: Number(of("centre").value), width: Number(of("width").value) };
    showWindow(state.window);
    drawSoon();
  });
}
of("window-reset").addEventListener("click", () => { state.window = null; showWindow(state.usual); drawSoon(); });
of("large").addEventListener("change", () => {
  const isLarge = of("large").checked;
  for (const { sheet, stage } of Object.values(panes)) {
    stage.classList.toggle("large", isLarge);
    sheet.style.width = isLarge ? `${state.columns}px` : "";
  }
  drawSoon();
});
for (const { stage } of Object.values(panes)) {
  stage.addEventListener("keydown", (event) => {
    if (event.target !== stage || stage.classList.contains("large")) return;
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (by) { event.preventDefault(); setFrame(state.frame + by); }
  });
}
panes.before.stage.addEventListener("scroll", () => align("before", "after"), { passive: true });
panes.after.stage.addEventListener("scroll", () => align("after", "before"), { passive: true });
function align(from, to) {
  const [one, other] = [panes[from].stage, panes[to].stage];
  if (other.scrollLeft !== one.scrollLeft) other.scrollLeft = one.scrollLeft;
  if (other.scrollTop !== one.scrollTop) other.scrollTop = one.scrollTop;
}
of("draw").addEventListener("click", () => setDrawing(of("draw").getAttribute("aria-pressed") !== "true"));
of("add").addEventListener("click", () => boxes.addInMiddle());
of("try").addEventListener("click", tryOut);
of("show-header").addEventListener("click", showHeader);
of("only-changed").addEventListener("change", () => of("header").classList.toggle("only-changed", of("only-changed").checked));

setDrawing(!matchMedia("(pointer: coarse)").matches); // a finger scrolls the page, until it is told to draw
boxes.set(JSON.parse(viewer.dataset.boxes));
const named = /frame (\d+)/.exec(viewer.dataset.detail); // that the refusal is about
await learn();
setFrame(named ? Number(named[1]) : 1);
tryOut();
