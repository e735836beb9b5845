// Parts of a page that keep themselves fresh: <div data-live="/fragment" data-every="5"> is filled anew every 5 seconds
// with what the server writes, while somebody can see it. What has the focus in it keeps it.
"use strict";
(() => {
  const refresh = async (part) => {
    if (document.hidden || part.dataset.busy) return;
    part.dataset.busy = "1";
    try {
      const answer = await fetch(part.dataset.live, { headers: { "X-Live": "1" }, credentials: "same-origin" });
      if (answer.status === 401 || answer.status === 403) { location.reload(); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      replace(part, await answer.text());
      part.classList.remove("stale");
    } catch {
      part.classList.add("stale"); // what stands there is old
    } finally {
      delete part.dataset.busy;
    }
  };
  const replace = (part, text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html").body;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.replaceChildren(...fresh.childNodes);
    if (focused) document.getElementById(focused)?.focus();
  };
  document.addEventListener("DOMContentLoaded", () => {
    for (const part of document.querySelectorAll("[data-live]")) {
      setInterval(() => refresh(part), Number(part.dataset.every || 5) * 1000);
      document.addEventListener("visibilitychange", () => refresh(part));
    }
  });
})();
