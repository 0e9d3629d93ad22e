// One saved query: masks by clicking words, and what another threshold would do, from kept judgements.
import { ask, attempt, say } from "./desk.js";

const SVG = "http://www.w3.org/2000/svg";
const OUTCOMES = ["confirmed", "rejected", "open", "below"];
const KINDS = ["action", "color", "garment", "object", "person", "place"];
const box = document.getElementById("masks");
const form = document.getElementById("change");
const curve = document.getElementById("curve");
const counts = curve ? JSON.parse(curve.dataset.counts) : null;
let anchor = null; // where in the sentence the word begins that was clicked last
let lastAsked = 0; // number of the newest question about masks: answers to older ones come too late
let masks = box.dataset.by === "user" ? JSON.parse(box.dataset.masks) : null;

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function drawBars() {
  const bars = document.getElementById("bars");
  const highest = Math.max(1, ...counts.confirmed.map((_, place) => OUTCOMES.reduce((sum, name) => sum + counts[name][place], 0)));
  const shape = (name, values) => { const made = document.createElementNS(SVG, name); for (const [key, value] of Object.entries(values)) made.setAttribute(key, value); return made; };
  for (let place = 0; place <= 100; place += 1) {
    let top = 112;
    for (const name of OUTCOMES) {
      const height = (100 * counts[name][place]) / highest;
      if (!height) continue;
      top -= height;
      bars.append(shape("rect", { x: place * 4, y: top, width: 3.4, height, class: name }));
    }
  }
  bars.append(shape("line", { x1: 0, x2: 404, y1: 112.5, y2: 112.5, class: "axis" }));
  for (const place of [0, 25, 50, 75, 100]) {
    const text = shape("text", { x: place * 4 + 1.7, y: 126, "text-anchor": place === 0 ? "start" : place === 100 ? "end" : "middle" });
    text.textContent = (place / 100).toFixed(2);
    bars.append(text);
  }
  bars.append(shape("line", { y1: 4, y2: 112, class: "now", id: "line" }));
}

function showThreshold() {
  const threshold = Number(form.elements.accept.value);
  document.getElementById("threshold").textContent = threshold.toFixed(2);
  if (!counts) return;
  const first = Math.ceil(threshold * 100 - 1e-9);
  const at = Object.fromEntries(OUTCOMES.map((name) => [name, counts[name].slice(first).reduce((sum, number) => sum + number, 0)]));
  const hits = OUTCOMES.reduce((sum, name) => sum + at[name], 0);
  document.getElementById("would").textContent = `${hits} hits: ${at.confirmed} confirmed, ${at.rejected} rejected, ${at.open + at.below} undecided`;
  const line = document.getElementById("line");
  for (const end of ["x1", "x2"]) line.setAttribute(end, first * 4 - 0.3);
}

function describe(mask) { return { word: mask.word, kind: mask.kind, means: mask.means, contrasts: mask.contrasts ?? [] }; }

/** Masks all from one piece of the sentence to another as one phrase, in place of the masks in between. */
function maskPhrase(words, one, other) {
  const [first, last] = [one, other].sort((a, b) => a - b);
  const inside = words.slice(first, last + 1);
  const kind = inside.find((word) => word.kind)?.kind ?? inside[0].usual_kind;
  const others = words.filter((word, place) => word.kind && (place < first || place > last)).map(describe);
  showMasks([...others, { word: inside.map((word) => word.text).join(""), kind, means: "", contrasts: [] }], words[first].start);
}

function toggleWord(words, place, withShift) {
  const word = words[place];
  const from = withShift && anchor !== null ? words.findIndex((other) => other.is_word && other.start <= anchor && anchor < other.start + other.text.length) : -1;
  anchor = word.start;
  if (from >= 0 && from !== place) { maskPhrase(words, from, place); return; }
  const own = words.filter((other) => other.kind && other !== word).map(describe);
  showMasks(word.kind ? own : [...own, { word: word.text, kind: word.usual_kind, means: "", contrasts: [] }], word.start);
}

function wordButton(words, place) {
  const word = words[place];
  if (!word.is_word || box.dataset.fixed) return word.kind ? element("mark", { className: word.kind, textContent: word.text }) : word.text;
  const button = element("button", { type: "button", className: `word ${word.kind}`, textContent: word.text });
  button.dataset.start = word.start;
  button.setAttribute("aria-pressed", String(Boolean(word.kind)));
  button.addEventListener("click", (event) => toggleWord(words, place, event.shiftKey));
  return button;
}

/** The buttons that make a mask longer by the word before or after it. */
function longerButtons(words, place) {
  if (box.dataset.fixed) return [];
  const before = words.findLastIndex((word, other) => word.is_word && other < place);
  const after = words.findIndex((word, other) => word.is_word && other > place);
  return [before, after].filter((other) => other >= 0).map((other) => {
    const text = other < place ? `${words[other].text} +` : `+ ${words[other].text}`;
    const button = element("button", { type: "button", className: "plain longer", textContent: text });
    button.setAttribute("aria-label", `Mask “${words[other].text}” together with “${words[place].text}”`);
    button.addEventListener("click", () => maskPhrase(words, place, other));
    return button;
  });
}

function maskItem(words, place) {
  const word = words[place];
  const kind = element("select", { disabled: Boolean(box.dataset.fixed) }, ...KINDS.map((name) => element("option", { textContent: name, selected: name === word.kind })));
  kind.setAttribute("aria-label", `Kind of ${word.text}`);
  kind.addEventListener("change", () => showMasks(words.filter((other) => other.kind).map((other) => (other === word ? { ...describe(word), kind: kind.value, contrasts: [] } : describe(other)))));
  const against = word.contrasts.length ? `against ${word.contrasts.join(", ")}` : "no contrasts: add them in the file";
  return element("li", {}, element("b", { textContent: word.text }), kind, ...longerButtons(words, place), element("span", { className: "soft", textContent: `asks for ${word.means}, ${against}` }));
}

async function showMasks(wanted, focused = null) {
  await attempt(async () => {
    const number = ++lastAsked;
    const found = await ask(`/queries/${box.dataset.name}/masks`, { masks: wanted });
    if (number !== lastAsked) return;
    masks = wanted;
    let start = 0;
    const words = found.words.map((word) => { const own = { ...word, word: word.text, start }; start += word.text.length; return own; });
    document.getElementById("cloze").textContent = found.cloze;
    document.getElementById("sentence").replaceChildren(...words.map((_, place) => wordButton(words, place)));
    document.getElementById("mask-list").replaceChildren(...words.flatMap((word, place) => (word.kind ? [maskItem(words, place)] : [])));
    if (focused !== null) document.querySelector(`#sentence [data-start="${focused}"]`)?.focus();
  });
}

form.addEventListener("input", showThreshold);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const fields = new FormData(form);
    const daily = fields.get("daily_start") && fields.get("daily_stop") ? [fields.get("daily_start"), fields.get("daily_stop")] : null;
    const asked = { digest: form.dataset.digest, accept: Number(fields.get("accept")), enabled: fields.has("enabled"), calibrate: fields.has("calibrate"), cameras: fields.getAll("cameras"), start: fields.get("start") || null, stop: fields.get("stop") || null, daily, masks };
    const found = await ask(`/queries/${box.dataset.name}`, asked);
    say(found.is_new_version ? "Saved as a new version. The next sweep runs it on the whole archive." : "Saved. The next sweep uses it.");
    setTimeout(() => location.reload(), 1500);
  });
});
document.getElementById("by-lexicon").addEventListener("click", () => showMasks(null));
if (counts) drawBars();
showThreshold();
showMasks(masks);
