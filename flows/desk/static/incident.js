// The page of one incident: the clip with the person's box, the strip, decisions with a note, and the export.
import { ask, attempt, onKeys, say } from "./desk.js";
import { showClip } from "./player.js";

const moment = document.getElementById("moment");
const stage = document.getElementById("stage");
const strip = document.getElementById("strip");
const note = document.getElementById("note");
let player = null;

async function play(hit = moment.dataset.hit, seconds = null) {
  if (!player || player.hit !== hit) {
    const video = await showClip(stage, hit, { autoplay: true });
    player = video ? { hit, video } : null;
  }
  if (!player) return;
  if (seconds !== null) player.video.currentTime = Math.max(0, seconds - Number(player.video.dataset.start));
  else if (player.video.paused) player.video.play(); else if (player.video.currentTime > 0.2) player.video.pause();
}

async function decide(verdict, hit = null) {
  await attempt(async () => {
    await ask("/decisions", { incidents: [moment.dataset.id], hits: hit ? [hit] : [], verdict, note: note.value });
    location.reload();
  });
}

document.getElementById("play")?.addEventListener("click", () => play());
strip?.addEventListener("click", (event) => {
  const seconds = event.target.closest("[data-seconds]")?.dataset.seconds;
  if (seconds) play(moment.dataset.hit, Number(seconds));
});
document.getElementById("map")?.addEventListener("click", (event) => {
  const mapped = event.target.getAttribute("aria-pressed") !== "true";
  event.target.setAttribute("aria-pressed", String(mapped));
  strip.setAttribute("aria-busy", "true");
  const pictures = [...strip.querySelectorAll("img")];
  Promise.allSettled(pictures.map((picture) => {
    picture.loading = "eager";
    picture.src = picture.src.split("?")[0] + (mapped ? "?mapped=true" : "");
    return picture.decode();
  })).then(() => strip.removeAttribute("aria-busy"));
});
moment.addEventListener("click", (event) => {
  const verdict = event.target.closest("[data-verdict]")?.dataset.verdict;
  const hit = event.target.closest("li[data-hit]")?.dataset.hit;
  if (verdict) decide(verdict, hit);
  else if (hit && event.target.closest(".play")) { play(hit); stage.scrollIntoView({ block: "nearest" }); }
});
document.getElementById("export").addEventListener("click", (event) => attempt(async () => {
  event.target.disabled = true;
  const job = await ask("/exports", { incident: moment.dataset.id });
  say("Exporting with the heads of bystanders blurred; this takes a while.", { button: "Show", act: () => { location.href = `/jobs/${job.id}`; } });
}));

async function undo() { await attempt(async () => { await ask("/decisions/undo"); location.reload(); }); }
const go = (name) => () => { const link = document.getElementById(name); if (link) location.href = link.href; };
onKeys({
  " ": () => play(), c: () => decide("confirm"), r: () => decide("reject"), u: () => decide("unsure"), z: undo,
  j: go("after"), k: go("before"), m: () => document.getElementById("map")?.click(),
});
const best = strip?.querySelector(".best")?.closest("li");
addEventListener("load", () => { if (best) strip.scrollLeft = best.offsetLeft - strip.offsetLeft - strip.clientWidth / 2 + best.clientWidth / 2; });
