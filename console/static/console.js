// The live line of an announcement: numbers change as deliveries end. Without it the page shows how things stood.
(() => {
  "use strict";
  const live = document.querySelector("[data-events]");
  if (!live || !window.EventSource) return;
  const number = (value) => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ".");
  const source = new EventSource(live.dataset.events);
  source.addEventListener("progress", (event) => {
    const told = JSON.parse(event.data);
    live.querySelector("[data-state]").textContent = told.state;
    live.querySelector("[data-done]").textContent = number(told.done);
    const bar = live.querySelector("progress");
    bar.max = Math.max(1, told.audience);
    bar.value = told.done;
    const rows = told.states.map(([words, count]) => {
      const row = document.createElement("tr");
      const name = document.createElement("td");
      const value = document.createElement("td");
      name.textContent = words;
      value.textContent = number(count);
      value.className = "n";
      row.append(name, value);
      return row;
    });
    live.querySelector("tbody").replaceChildren(...rows);
    const stop = document.querySelector(".stop");
    if (stop && told.finished) stop.remove();
  });
  source.addEventListener("end", () => source.close());
})();
