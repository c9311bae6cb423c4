// Replaces the parts of the page that have changed. The page is whole without it.
"use strict";
(() => {
  if ("still" in document.body.dataset) return;
  const state = document.getElementById("connection");
  const say = (text, name) => { state.textContent = text; state.dataset.state = name; };
  let source;

  // swap a part, and keep the focus on the link that has it.
  const swap = ({part, version, html}) => {
    const place = document.querySelector(`[data-part="${CSS.escape(part)}"]`);
    if (!place) location.reload(); // it is another page now: a Service that was there has gone, or one has come
    if (!place || place.dataset.version === version) return;
    const focused = place.contains(document.activeElement) && document.activeElement.getAttribute("href");
    place.innerHTML = html;
    place.dataset.version = version;
    if (focused) place.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({preventScroll: true});
  };

  const connect = () => {
    source = new EventSource("/live?at=" + encodeURIComponent(location.pathname + location.search));
    source.addEventListener("open", () => say("live", "live"));
    source.addEventListener("part", (event) => swap(JSON.parse(event.data)));
    source.addEventListener("error", () => say("not connected: is kubectl daymark web running?", "lost"));
  };

  // A page that nobody sees costs nothing, and leaves the browser's few connections to those that are seen.
  document.addEventListener("visibilitychange", () => {
    source?.close();
    if (!document.hidden) connect();
  });
  if (!document.hidden) connect();
})();
