// The grid of incidents: keys, selection, decisions, undo, and loading more while scrolling.
import { ask, attempt, onKeys, say } from "./desk.js";
import { openPlayer } from "./player.js";

const grid = document.getElementById("grid");
const filters = document.getElementById("filters");
const bar = document.getElementById("selection");
const NAMES = { new: "New", unsure: "Unsure", confirmed: "Confirmed", rejected: "Rejected" };
const DONE = { confirm: "confirmed", reject: "rejected", unsure: "marked as unsure" };
let current = null;
let anchor = null;

const cards = () => [...(grid?.querySelectorAll(".card") ?? [])];
const chosen = () => cards().filter((card) => card.querySelector(".select").checked);

function moveTo(card) {
  if (!card) return;
  current?.classList.remove("current");
  current = card;
  card.classList.add("current");
  card.querySelector(".open").focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const all = cards();
  const place = current ? all.indexOf(current) + by : 0;
  moveTo(all[Math.max(0, Math.min(all.length - 1, place))]);
}

function showSelection() {
  const number = chosen().length;
  bar.hidden = number === 0;
  document.getElementById("selected").textContent = number;
}

function select(card, on, upTo = false) {
  if (!card) return;
  const all = cards();
  const first = upTo && anchor ? all.indexOf(anchor) : all.indexOf(card);
  const [low, high] = [first, all.indexOf(card)].sort((a, b) => a - b);
  for (const item of all.slice(low, high + 1)) item.querySelector(".select").checked = on;
  anchor = card;
  showSelection();
}

function show(found) {
  for (const item of found) {
    const card = grid.querySelector(`[data-id="${CSS.escape(item.id)}"]`);
    if (!card) continue;
    card.classList.remove(...Object.keys(NAMES));
    card.classList.add(item.state);
    card.querySelector(".state").textContent = NAMES[item.state];
    card.querySelector(".said").textContent = item.said;
  }
  refreshFacets();
}

async function refreshFacets() {
  const query = new URLSearchParams(location.search);
  query.set("part", "facets");
  query.delete("after");
  const answer = await fetch(`/incidents?${query}`);
  if (answer.ok) document.getElementById("facets").innerHTML = await answer.text();
}

async function decide(verdict, only) {
  const picked = only ? [only] : chosen().length ? chosen() : current ? [current] : [];
  if (!picked.length) { say("Select something first: j and k move, x selects."); return; }
  await attempt(async () => {
    const found = await ask("/decisions", { incidents: picked.map((card) => card.dataset.id), verdict });
    show(found.incidents);
    const gone = found.gone ? ` ${found.gone} are not in the store any more.` : "";
    say(`${found.incidents.length} ${DONE[verdict]}.${gone}`, { button: "Undo", act: undo });
    if (!only) for (const card of picked) card.querySelector(".select").checked = false;
    showSelection();
    if (!only && picked.length === 1 && picked[0] === current) step(1);
  });
}

async function undo() {
  await attempt(async () => {
    const found = await ask("/decisions/undo");
    show(found.incidents);
    const others = found.decided_by_others ? ` ${found.decided_by_others} hits were decided by somebody else since and stay.` : "";
    say(`Taken back.${others}`);
  });
}

function toggleMap(card) {
  const button = card?.querySelector(".map");
  if (button) button.setAttribute("aria-pressed", String(card.classList.toggle("mapped")));
}

async function loadMore(item) {
  const link = item.querySelector("a");
  if (link.dataset.loading) return;
  link.dataset.loading = "yes";
  link.textContent = "Loading…";
  const answer = await fetch(`${link.getAttribute("href")}&part=cards`).catch(() => null);
  if (!answer?.ok) { delete link.dataset.loading; link.textContent = "Show more"; return; }
  item.insertAdjacentHTML("beforebegin", await answer.text());
  item.remove();
  watch();
}

const watcher = new IntersectionObserver((seen) => {
  for (const item of seen) if (item.isIntersecting) { watcher.unobserve(item.target); loadMore(item.target); }
}, { rootMargin: "600px" });
function watch() { const more = grid?.querySelector(".more"); if (more) watcher.observe(more); }
watch();

grid?.addEventListener("click", (event) => {
  const card = event.target.closest(".card");
  const verdict = event.target.closest("[data-verdict]")?.dataset.verdict;
  if (verdict) decide(verdict, card);
  else if (event.target.closest(".map")) toggleMap(card);
  else if (event.target.closest(".play")) openPlayer(card.dataset.hit);
  else if (event.target.matches(".select")) select(card, event.target.checked, event.shiftKey);
  else if (event.target.closest(".more a")) { event.preventDefault(); loadMore(event.target.closest(".more")); }
});
grid?.addEventListener("focusin", (event) => {
  const card = event.target.closest(".card");
  if (card && card !== current) { current?.classList.remove("current"); current = card; card.classList.add("current"); }
});
bar.addEventListener("click", (event) => {
  const verdict = event.target.closest("[data-verdict]")?.dataset.verdict;
  if (verdict) decide(verdict);
});
document.getElementById("select-all").addEventListener("click", () => { for (const card of cards()) card.querySelector(".select").checked = true; showSelection(); });
document.getElementById("select-none").addEventListener("click", clearSelection);
function clearSelection() { for (const card of cards()) card.querySelector(".select").checked = false; showSelection(); }

filters.querySelector(".fold").addEventListener("click", (event) => {
  event.target.setAttribute("aria-expanded", String(filters.classList.toggle("open")));
});
filters.addEventListener("change", () => filters.requestSubmit());
filters.addEventListener("input", (event) => {
  if (event.target.name === "confidence") document.getElementById("least").textContent = `${Math.round(event.target.value * 100)}%`;
});
filters.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) if (value === "" || (name === "confidence" && Number(value) === 0)) event.formData.delete(name);
});

onKeys({
  j: () => step(1), k: () => step(-1), ArrowRight: () => step(1), ArrowLeft: () => step(-1),
  c: () => decide("confirm"), r: () => decide("reject"), u: () => decide("unsure"), z: undo,
  x: () => select(current, !current?.querySelector(".select").checked), X: () => select(current, true, true),
  m: () => toggleMap(current), " ": () => current && openPlayer(current.dataset.hit), Escape: clearSelection,
});
