
// Moves an epoch along the curves, copies the recipe, and opens it for print. The page is complete without this.
"use strict";

for (const chart of document.querySelectorAll("[data-curves]")) {
  const epochs = chart.dataset.epochs.split(" ");
  const last = epochs.length - 1;
  const readout = chart.querySelector("[data-readout]");
  const panels = chart.querySelector("[data-panels]");
  const plots = [...panels.querySelectorAll("[data-panel]")].map((svg) => {
    const cross = svg.querySelector(".axis").cloneNode();
    cross.setAttribute("class", "cross waits");
    cross.setAttribute("y1", "0");
    cross.setAttribute("y2", "100%");
    svg.append(cross);
    const dots = [...svg.querySelectorAll(".dot")].map((dot) => ({
      dot,
      name: dot.dataset.name,
      places: dot.dataset.places.split(" "),
      values: dot.dataset.values.split("|"),
    }));
    svg.append(...dots.map(({ dot }) => dot));
    return { svg, cross, dots, title: svg.dataset.panel };
  });
  let at = Number(chart.dataset.start);

  const show = (index) => {
    at = Math.min(last, Math.max(0, index));
    const x = `${last ? (100 * at) / last : 50}%`;
    const values = plots.map(({ cross, dots, title }) => {
      cross.setAttribute("x1", x);
      cross.setAttribute("x2", x);
      cross.setAttribute("class", "cross");
      for (const { dot, places } of dots) {
        dot.setAttribute("cx", x);
        dot.setAttribute("visibility", places[at] === "-" ? "hidden" : "visible");
        if (places[at] !== "-") dot.setAttribute("cy", `${places[at]}%`);
      }
      return `${title}: ${dots.map(({ name, values }) => `${name} ${values[at]}`).join(", ")}`;
    });
    const mark = String(at) === chart.dataset.marked ? ` (${chart.dataset.mark})` : "";
    const text = `Epoch ${Number(epochs[at]).toLocaleString("en")}${mark} – ${values.join("; ")}`;
    if (readout.textContent !== text) readout.textContent = text;
  };

  const follow = (event) => {
    const plot = plots.find(({ svg }) => svg.parentElement.contains(event.target));
    if (!plot) return;
    const { left, width } = plot.svg.getBoundingClientRect();
    show(Math.round(((event.clientX - left) / width) * last));
  };

  const far = Math.max(1, Math.round(last / 10));
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -far, PageUp: far, Home: -last, End: last };
  panels.tabIndex = 0;
  panels.setAttribute("role", "group");
  panels.setAttribute("aria-label", panels.dataset.label);
  readout.setAttribute("aria-live", "polite");
  panels.addEventListener("pointermove", follow);
  panels.addEventListener("pointerdown", follow);
  panels.addEventListener("keydown", (event) => {
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    show(at + steps[event.key]);
  });
}

for (const block of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy the recipe";
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(block);
      button.textContent = "Selected: copy it with your keyboard";
    }
  });
  block.before(button);
}

const opened = [];
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details[data-print]:not([open])")) {
    details.open = true;
    opened.push(details);
  }
});
addEventListener("afterprint", () => {
  for (const details of opened.splice(0)) details.open = false;
});
