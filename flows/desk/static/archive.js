// The archive: lets the next index run try an unreadable file again.
import { ask, attempt, say } from "./desk.js";

document.addEventListener("click", (event) => {
  const button = event.target.closest(".retry");
  if (!button) return;
  attempt(async () => {
    const entry = button.closest("[data-video]");
    await ask("/archive/retry", { video: entry.dataset.video });
    entry.remove();
    say("The next index run tries it again.");
  });
});
