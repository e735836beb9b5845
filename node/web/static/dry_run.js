// Sends a dropped or chosen file as it is, and shows the server's answer. Nothing of it stays in the page's address.
"use strict";
(() => {
  const form = document.getElementById("dry-run");
  const drop = document.getElementById("drop");
  const input = document.getElementById("file");
  const status = document.getElementById("status");
  const result = document.getElementById("result");
  let running = null;

  const say = (text, kind) => { status.textContent = text; status.className = kind ? `notice ${kind}` : ""; };

  const send = async (file) => {
    if (!file) return;
    running?.abort();
    const mine = (running = new AbortController());
    result.replaceChildren();
    say(`Looking at the file (${(file.size / 1048576).toFixed(1)} MiB) …`);
    try {
      const answer = await fetch(`/dry-run?project=${encodeURIComponent(form.project.value)}`, {
        method: "POST", body: file, signal: mine.signal, credentials: "same-origin",
        headers: { "X-CSRF-Token": document.getElementById("csrf").dataset.csrf, "Content-Type": "application/octet-stream" },
      });
      const text = await answer.text();
      if (!answer.ok) { say(text.trim() || "It did not work.", "failed"); return; }
      result.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
      window.filterRows?.(result);
      say("Done. Nothing of the file was stored.", "done");
      result.focus();
    } catch (error) {
      if (error.name !== "AbortError") say("The console does not answer.", "failed");
    }
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("change", () => send(input.files[0]));
  form.project.addEventListener("change", () => send(input.files[0]));
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); send(event.dataTransfer.files[0]); });
})();
