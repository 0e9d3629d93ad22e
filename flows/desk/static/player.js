// Plays the moment of a hit, and draws the box of the person over the picture.
import { ask } from "./desk.js";

const SVG = "http://www.w3.org/2000/svg";

/** The person's box at a time: between two boxes of the index it moves evenly; null where none is near. */
function boxAt(boxes, seconds) {
  const after = boxes.findIndex((box) => box.seconds >= seconds);
  const [before, next] = after < 0 ? [boxes.at(-1), null] : [boxes[after - 1] ?? null, boxes[after]];
  if (!before || !next) {
    const near = before ?? next;
    return near && Math.abs(near.seconds - seconds) <= 0.5 ? near.box : null;
  }
  if (next.seconds - before.seconds > 3) return Math.min(seconds - before.seconds, next.seconds - seconds) <= 0.5 ? before.box : null;
  const share = (seconds - before.seconds) / Math.max(1e-6, next.seconds - before.seconds);
  return before.box.map((value, index) => value + (next.box[index] - value) * share);
}

/** Fills an element with the video of a hit; says why there is none. */
export async function showClip(stage, hit, { autoplay = false } = {}) {
  const waiting = Object.assign(document.createElement("p"), { className: "waiting", textContent: "Cutting the moment from the archive…" });
  waiting.setAttribute("role", "status");
  stage.replaceChildren(waiting);
  try {
    const clip = await ask(`/clips/${hit}`);
    const video = Object.assign(document.createElement("video"), { controls: true, autoplay, muted: true, playsInline: true, preload: "auto", src: clip.address, loop: true });
    const layer = document.createElementNS(SVG, "svg");
    const shape = document.createElementNS(SVG, "rect");
    layer.setAttribute("viewBox", `0 0 ${clip.width} ${clip.height}`);
    layer.setAttribute("class", "box-layer");
    layer.setAttribute("aria-hidden", "true");
    layer.append(shape);
    video.dataset.start = clip.start_seconds;
    video.addEventListener("loadedmetadata", () => { video.currentTime = Math.max(0, clip.wanted_seconds - clip.start_seconds); }, { once: true });
    const frame = document.createElement("div");
    frame.className = "frame";
    frame.append(video, layer);
    stage.replaceChildren(frame);
    const draw = () => {
      const box = boxAt(clip.boxes, clip.start_seconds + video.currentTime);
      shape.toggleAttribute("hidden", !box);
      if (box) for (const [name, value] of [["x", box[0]], ["y", box[1]], ["width", box[2] - box[0]], ["height", box[3] - box[1]]]) shape.setAttribute(name, value);
    };
    const follow = () => { draw(); if (video.isConnected) requestAnimationFrame(follow); };
    follow();
    return video;
  } catch (error) {
    const message = Object.assign(document.createElement("p"), { className: "problem", textContent: error.message });
    message.setAttribute("role", "alert");
    stage.replaceChildren(message);
    return null;
  }
}

/** Opens the dialog that plays a hit. */
export async function openPlayer(hit) {
  const dialog = document.getElementById("player");
  const stage = document.getElementById("player-stage");
  dialog.addEventListener("close", () => stage.replaceChildren(), { once: true });
  dialog.showModal();
  const video = await showClip(stage, hit, { autoplay: true });
  dialog.onkeydown = (event) => {
    if (event.key === " " && video && event.target !== video) { event.preventDefault(); if (video.paused) video.play(); else video.pause(); }
  };
}
