"use strict";
// Draws the figures of the page: each when it comes into view, since drawing all at once would take long.
(function () {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const narrow = () => window.innerWidth < 560;

  // Text in lines of some characters; one with markup stays as it is.
  function folded(text, most) {
    const space = text.lastIndexOf(" ", most);
    if (text.length <= most || space < 1 || text.includes("<")) return text;
    return `${text.slice(0, space)}<br>${folded(text.slice(space + 1), most)}`;
  }

  // On a phone, long names of bars take several lines, and what stands behind a bar goes without its interval.
  function shortened(traces) {
    if (!narrow()) return traces;
    const each = (list, change) => (Array.isArray(list) ? list.map((one) => (typeof one === "string" ? change(one) : one)) : list);
    return traces.map(function (trace) {
      if (trace.type !== "bar" || trace.orientation !== "h") return trace;
      const text = each(trace.text, (one) => one.replace(/ \([^)]*\)$/, ""));
      return Object.assign({}, trace, { y: each(trace.y, (one) => folded(one, 22)), text: text });
    });
  }

  // On a phone, numbers of dots that would cover others are hidden.
  function thinned(place) {
    const shown = [];
    for (const label of place.querySelectorAll(".textpoint text")) {
      const box = label.getBoundingClientRect();
      const covers = (other) => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom;
      label.style.visibility = shown.some(covers) ? "hidden" : "";
      if (!shown.some(covers)) shown.push(box);
    }
  }

  // On a phone, legends take several lines and margins half of the width: these get smaller, and the figure higher.
  function fitted(layout) {
    if (!narrow()) return layout;
    const small = JSON.parse(JSON.stringify(layout));
    small.font = Object.assign({}, small.font, { size: 12 });
    small.margin = Object.assign({}, small.margin, { l: Math.min(44, layout.margin.l), r: 10 });
    if (small.showlegend !== false && small.legend) {
      small.legend.font = { size: 12 };
      small.height = (small.height || 450) + 60;
    }
    for (const name of Object.keys(small).filter((key) => /^[xy]axis/.test(key))) {
      const title = small[name].title;
      if (title && title.text) {
        title.font = { size: 12 };
        if (name[0] === "x") title.text = folded(title.text, 44);
      }
    }
    return small;
  }

  function draw(place) {
    if (place.dataset.drawn) return;
    place.dataset.drawn = "yes";
    const figure = figures[place.id];
    const unused = ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"];
    const settings = { displaylogo: false, responsive: true, modeBarButtonsToRemove: unused };
    if (narrow()) settings.displayModeBar = false;
    Plotly.newPlot(place, shortened(figure.data), fitted(figure.layout), settings).then(function () {
      if (figure.frames) Plotly.addFrames(place, figure.frames);
      if (narrow()) {
        thinned(place);
        place.on("plotly_afterplot", () => thinned(place));
      }
    });
  }

  const places = Array.from(document.querySelectorAll(".figure"));
  const watcher = new IntersectionObserver(
    (seen) => seen.filter((one) => one.isIntersecting).forEach((one) => draw(one.target)),
    { rootMargin: "400px" }
  );
  places.forEach((place) => watcher.observe(place));
  window.addEventListener("beforeprint", () => places.forEach(draw));
})();
