// What all pages of the review desk share: requests with the session's token, messages, dialogs and the keys for help.
const token = document.querySelector('meta[name="csrf-token"]')?.content ?? "";
const toast = document.getElementById("toast");
let hiding = 0;

/** Asks the server for JSON; a refusal becomes an Error with the server's own words. */
export async function ask(address, body, { method = "POST", type = "application/json" } = {}) {
  const content = body === undefined ? undefined : type === "application/json" ? JSON.stringify(body) : body;
  let answer;
  try {
    answer = await fetch(address, { method, body: content, headers: { "x-csrf-token": token, "content-type": type, accept: "application/json" } });
  } catch {
    throw new Error("The desk does not answer. Is it still running?");
  }
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.error ?? `The desk answered with ${answer.status}.`);
  return found;
}

/** Shows a message for a while, with a button if there is something to do about it. */
export function say(message, { button, act, bad = false } = {}) {
  clearTimeout(hiding);
  toast.replaceChildren(document.createTextNode(message));
  toast.classList.toggle("bad", bad);
  if (button) {
    const element = Object.assign(document.createElement("button"), { type: "button", textContent: button });
    element.addEventListener("click", () => { toast.hidden = true; act(); });
    toast.append(element);
  }
  toast.hidden = false;
  hiding = setTimeout(() => { toast.hidden = true; }, bad ? 12000 : 7000);
}

/** Runs what a person asked for; if it fails, says why. */
export async function attempt(work) {
  try { return await work(); } catch (error) { say(error.message, { bad: true }); return undefined; }
}

/** Calls the function that a key stands for, unless a person is writing or a dialog is open. */
export function onKeys(actions) {
  document.addEventListener("keydown", (event) => {
    const writing = event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || writing) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === " " && event.target.closest?.("button, summary, input, video")) return;
    const action = actions[event.key];
    if (action) { event.preventDefault(); action(event); }
  });
}

const help = document.getElementById("help");
document.querySelector('[data-open="help"]')?.addEventListener("click", () => help.showModal());
if (help) onKeys({ "?": () => help.showModal() });
document.getElementById("logout")?.addEventListener("click", () => attempt(async () => { location.href = (await ask("/logout")).next; }));
