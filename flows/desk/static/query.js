// One saved query: masks by clicking words, and what another threshold would do, from kept judgements.
import { ask, attempt, say } from "./desk.js";

const SVG = "http://www.w3.org/2000/svg";
const OUTCOMES = ["confirmed", "rejected", "open", "below"];
const KINDS = ["action", "color", "garment", "object", "person", "place"];
const box = document.getElementById("masks");
const form = document.getElementById("change");
const curve = document.getElementById("curve");
const counts = curve ? JSON.parse(curve.dataset.counts) : null;
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

async function showMasks(wanted) {
  await attempt(async () => {
    const found = await ask(`/queries/${box.dataset.name}/masks`, { masks: wanted });
    masks = wanted;
    const now = found.words.filter((word) => word.kind);
    document.getElementById("cloze").textContent = found.cloze;
    document.getElementById("sentence").replaceChildren(...found.words.map((word) => {
      if (!word.is_word || box.dataset.fixed) return word.kind ? element("mark", { className: word.kind, textContent: word.text }) : word.text;
      const button = element("button", { type: "button", className: `word ${word.kind}`, textContent: word.text });
      button.setAttribute("aria-pressed", String(Boolean(word.kind)));
      button.addEventListener("click", () => {
        const own = now.map(describe);
        showMasks(word.kind ? own.filter((_, place) => now[place] !== word) : [...own, { word: word.text, kind: word.usual_kind, means: "", contrasts: [] }]);
      });
      return button;
    }));
    document.getElementById("mask-list").replaceChildren(...now.map((word, place) => {
      const kind = element("select", { disabled: Boolean(box.dataset.fixed) }, ...KINDS.map((name) => element("option", { textContent: name, selected: name === word.kind })));
      kind.setAttribute("aria-label", `Kind of ${word.text}`);
      kind.addEventListener("change", () => showMasks(now.map(describe).map((mask, other) => (other === place ? { ...mask, kind: kind.value, contrasts: [] } : mask))));
      const against = word.contrasts.length ? `against ${word.contrasts.join(", ")}` : "against nothing: add contrasts in the file";
      return element("li", {}, element("b", { textContent: word.text }), kind, element("span", { className: "soft", textContent: `asks for ${word.means}, ${against}` }));
    }));
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
    say(found.is_new_version ? "Saved as a new version. The next sweep asks it on the whole archive." : "Saved. The next sweep uses it.");
    setTimeout(() => location.reload(), 1500);
  });
});
document.getElementById("by-lexicon").addEventListener("click", () => showMasks(null));
if (counts) drawBars();
showThreshold();
showMasks(masks);
