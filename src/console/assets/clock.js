// Joins the player to the page's clock: one cursor through every lane, the line and word being said,
// and seeking from any of them. Without it the page still plays and every time is a link to its line.
const clock = document.querySelector("[data-clock]");
const audio = clock?.querySelector("audio");
if (audio) {
  const total = Number(clock.dataset.total);
  const offset = Number(clock.dataset.offset);
  const cursors = clock.querySelectorAll("[data-cursor]");
  const now = clock.querySelector("[data-now]");
  const lines = [...document.querySelectorAll(".say li[data-from]")];
  let line = null;
  let word = null;

  const written = (ms) => {
    const s = Math.max(0, Math.floor(ms / 1000));
    return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
  };
  const mark = (at) => {
    const next = lines.findLast((item) => Number(item.dataset.from) <= at) ?? null;
    if (next !== line) {
      line?.removeAttribute("aria-current");
      next?.setAttribute("aria-current", "true");
      line = next;
    }
    const words = line ? [...line.querySelectorAll(".w")] : [];
    const said = audio.paused ? null : (words.findLast((item) => Number(item.dataset.t) <= at) ?? null);
    if (said !== word) {
      word?.classList.remove("now");
      said?.classList.add("now");
      word = said;
    }
  };
  const show = () => {
    const at = audio.currentTime * 1000;
    const x = `${Math.min(100, ((at + offset) * 100) / total)}%`;
    for (const cursor of cursors) {
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.removeAttribute("display");
    }
    if (now) {
      now.setAttribute("x", x);
      now.textContent = written(at + offset);
    }
    mark(at);
  };
  const seek = (ms, play) => {
    audio.currentTime = Math.max(0, ms / 1000);
    show();
    if (play) audio.play().catch(() => {});
  };

  for (const event of ["timeupdate", "seeked", "pause", "play"]) audio.addEventListener(event, show);
  for (const lane of clock.querySelectorAll("svg[data-seek]")) {
    lane.addEventListener("click", (event) => {
      const box = lane.getBoundingClientRect();
      seek(((event.clientX - box.left) / box.width) * total - offset, false);
    });
  }
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-t]");
    if (!target || getSelection()?.toString()) return;
    if (target.tagName === "A") event.preventDefault();
    seek(Number(target.dataset.t), true);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input,select,textarea,button,a,audio,summary") || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -5000, ArrowRight: 5000 }[event.key];
    if (step) seek(audio.currentTime * 1000 + step, false);
    else if (event.key === " ") audio.paused ? audio.play().catch(() => {}) : audio.pause();
    else return;
    event.preventDefault();
  });
  if (clock.dataset.start) {
    const start = Number(clock.dataset.start);
    if (audio.readyState > 0) seek(start, false);
    else audio.addEventListener("loadedmetadata", () => seek(start, false), { once: true });
  }
  const speed = clock.querySelector("[data-speed]");
  speed?.addEventListener("change", () => {
    audio.playbackRate = Number(speed.value);
  });
  for (const hidden of clock.querySelectorAll("[data-script]")) hidden.hidden = false;
}
