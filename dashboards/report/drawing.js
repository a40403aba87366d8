"use strict";
// Draws the figures of the page: each when it comes into view, since drawing all at once would take long.
(function () {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const narrow = () => window.innerWidth < 560;

  // A title of more than 44 characters in two lines; one with markup stays as it is.
  function folded(text) {
    const space = text.lastIndexOf(" ", 44);
    return text.length <= 44 || space < 1 || text.includes("<") ? text : `${text.slice(0, space)}<br>${text.slice(space + 1)}`;
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
        if (name[0] === "x") title.text = folded(title.text);
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
    Plotly.newPlot(place, figure.data, fitted(figure.layout), settings).then(function () {
      if (figure.frames) Plotly.addFrames(place, figure.frames);
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
