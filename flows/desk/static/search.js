// Searching: the form with its reference picture, progress by server-sent events, results, and saving as a query.
import { ask, attempt, say } from "./desk.js";
import { openPlayer } from "./player.js";

const form = document.getElementById("ask");
const working = document.getElementById("working");
const STAGES = { coarse: "Searching the vectors", judge: "Asking the judge", draw: "Drawing", export: "Cutting and blurring" };

function choosePicture(name, { like = "", picture = "" } = {}) {
  form.dataset.like = like;
  form.dataset.picture = picture;
  document.getElementById("picture-name").textContent = name;
  document.getElementById("no-picture").hidden = !like && !picture;
}

async function upload(file) {
  if (!file) return;
  await attempt(async () => {
    const found = await ask("/uploads", file, { type: "application/octet-stream" });
    choosePicture(`people like in ${file.name || "the pasted picture"}`, { picture: found.id });
  });
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const fields = new FormData(form);
    const asked = { text: fields.get("text"), cameras: fields.getAll("cameras"), since: fields.get("since") || null, until: fields.get("until") || null, judged: Number(fields.get("judged")), like: form.dataset.like, picture: form.dataset.picture };
    location.href = (await ask("/searches", asked)).address;
  });
});
document.getElementById("picture")?.addEventListener("change", (event) => upload(event.target.files[0]));
document.getElementById("no-picture")?.addEventListener("click", () => choosePicture("Add a picture: choose, drop or paste"));
document.addEventListener("paste", (event) => { const file = [...(event.clipboardData?.files ?? [])][0]; if (form && file) upload(file); });
const drop = document.getElementById("drop");
for (const kind of ["dragover", "dragleave", "drop"]) drop?.addEventListener(kind, (event) => {
  event.preventDefault();
  drop.classList.toggle("over", kind === "dragover");
  if (kind === "drop") upload(event.dataTransfer.files[0]);
});

if (working) {
  const events = new EventSource(`/jobs/${working.dataset.job}/events`);
  const bar = document.getElementById("bar");
  events.onmessage = (event) => {
    const job = JSON.parse(event.data);
    if (job.state === "done" || job.state === "failed") { events.close(); location.reload(); return; }
    if (job.state !== "running") return;
    const share = job.total ? Math.min(1, job.amount / job.total) : 0;
    if (job.total && job.amount) bar.value = share; else bar.removeAttribute("value");
    const name = STAGES[job.stage] ?? "Loading the models";
    document.getElementById("stage").textContent = job.total ? `${name}: ${Math.round(job.amount)} of ${Math.round(job.total)}` : `${name}…`;
  };
}

document.getElementById("grid")?.addEventListener("click", (event) => {
  const card = event.target.closest(".card");
  const map = event.target.closest(".map");
  if (map) map.setAttribute("aria-pressed", String(card.classList.toggle("mapped")));
  else if (event.target.closest(".play")) openPlayer(card.dataset.clip);
});
document.querySelector('[data-open-dialog="save"]')?.addEventListener("click", () => document.getElementById("save").showModal());
document.getElementById("save-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const fields = new FormData(event.target);
    const text = form.querySelector("[name=text]").defaultValue;
    const cameras = [...form.querySelectorAll("[name=cameras]")].filter((box) => box.defaultChecked).map((box) => box.value);
    const found = await ask("/queries", { name: fields.get("name"), text, cameras });
    document.getElementById("save").close();
    say(`Saved as ${found.name}. The next sweep runs it.`, { button: "Show", act: () => { location.href = found.address; } });
  });
});
