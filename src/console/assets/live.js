// Keeps parts of a page fresh: each event carries the whole part as the server draws it, so a lost
// event loses nothing and a reconnect begins with the present.
for (const part of document.querySelectorAll("[data-live]")) {
  const source = new EventSource(part.dataset.live);
  source.addEventListener("part", (event) => {
    if (part.contains(document.activeElement)) return;
    part.innerHTML = event.data;
  });
  addEventListener("pagehide", () => source.close());
}
