// <input data-filter="rows"> shows the rows of <tbody id="rows"> that have all of its words.
"use strict";
window.filterRows = (part) => {
  for (const input of part.querySelectorAll("[data-filter]")) {
    const rows = [...document.getElementById(input.dataset.filter).rows].map((row) => [row, row.textContent.toLowerCase()]);
    const count = part.querySelector(`[data-filter-count="${input.dataset.filter}"]`);
    const filter = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, text] of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      if (count) count.textContent = words.length ? `${shown} of ${rows.length} rows.` : `${rows.length} rows.`;
    };
    input.addEventListener("input", filter);
    filter();
  }
};
window.filterRows(document);
