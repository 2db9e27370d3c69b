// A real run: the spans of `almanac run --trace FILE`, and its way over the map.
"use strict";

const Trace = {
  spans: [],
  totals: new Map(),

  start() {
    document.getElementById("trace").addEventListener("change", async (event) => {
      const [file] = event.target.files;
      if (file) this.load(await file.text(), file.name);
    });
  },

  load(content, name) {
    const problem = document.getElementById("trace-problem");
    problem.textContent = "";
    try {
      this.read(JSON.parse(content));
    } catch (error) {
      this.spans = [];
      problem.textContent = `${name}: ${error instanceof SyntaxError ? "it is not JSON" : error.message}.`;
    }
    if (!problem.textContent && !this.spans.some((each) => Program.functions.has(each.fn))) {
      problem.textContent = `${name}: none of its ${this.spans.length} spans names a function of this program.`;
    }
    this.light();
  },

  read(json) {
    const events = Array.isArray(json) ? json : json?.traceEvents;
    if (!Array.isArray(events)) throw new Error("it has no list traceEvents");
    this.spans = events.filter((each) => each?.ph === "X" && typeof each.args?.function === "string")
      .map((each) => ({ name: each.name, fn: each.args.function, id: each.args.span, parent: each.args.parent, from: each.ts, seconds: each.dur / 1e6, error: each.args.error }))
      .sort((a, b) => a.from - b.from);
    if (!this.spans.length) throw new Error("no span in it has args.function");
  },

  light() {
    this.totals = new Map();
    for (const { fn, seconds } of this.spans) {
      const sum = this.totals.get(fn) ?? { count: 0, seconds: 0 };
      this.totals.set(fn, { count: sum.count + 1, seconds: sum.seconds + seconds });
    }
    FlowMap.lit = new Set([...this.totals.keys()].filter((fn) => Program.functions.has(fn)).flatMap((fn) => [fn, fn.split(":")[0]]));
    const box = document.getElementById("trace-found");
    box.replaceChildren();
    if (FlowMap.lit.size) {
      this.at = -1;
      for (const fn of this.totals.keys()) if (Program.functions.has(fn)) FlowMap.opened.add(fn.split(":")[0]);
      box.append(el("p", {}, el("button", { onclick: () => this.step(-1) }, "Step before"), " ", el("button", { onclick: () => this.step(1) }, "Next step"), " ", el("button", { onclick: () => this.close() }, "Close")),
        ...this.tree(), el("h3", {}, "By function"), this.table());
    }
    FlowMap.draw();
    if (this.spans.length) FlowMap.fit();
    Detail.show();
  },

  close() {
    this.spans = [];
    document.getElementById("trace").value = "";
    this.light();
  },

  // What was called in order, each below what called it.
  tree() {
    const start = this.spans[0].from, depth = new Map();
    const rows = this.spans.map((each) => {
      depth.set(each.id, (depth.get(each.parent) ?? -1) + 1);
      const known = Program.functions.has(each.fn);
      return el("tr", { class: known ? "lit" : "" },
        el("td", { class: "number" }, `${((each.from - start) / 1e6).toFixed(2)}`),
        el("td", { class: "number" }, seconds(each.seconds)),
        el("td", {}, "\u00a0\u00a0".repeat(depth.get(each.id)), known ? link(each.fn, each.name) : each.name, each.error ? badge(each.error, "red") : ""));
    });
    return [el("h3", {}, "In order"), el("table", { id: "steps" }, el("thead", {}, el("tr", {}, ...["at, s", "took", "step"].map((t) => el("th", {}, t)))), el("tbody", {}, ...rows))];
  },

  table() {
    const rows = [...this.totals].sort((a, b) => b[1].seconds - a[1].seconds).map(([fn, { count, seconds: sum }]) => el("tr", {},
      el("td", { class: "number" }, `${count} ×`), el("td", { class: "number" }, seconds(sum)),
      el("td", {}, Program.functions.has(fn) ? link(fn) : fn)));
    return el("table", {}, el("tbody", {}, ...rows));
  },

  step(by) {
    const known = this.spans.filter((each) => Program.functions.has(each.fn));
    this.at = Math.min(Math.max(this.at + by, 0), known.length - 1);
    go({ fn: known[this.at].fn });
  },

  // The pairs of functions between which the run went, for the lines of the map.
  links() {
    const byId = new Map(this.spans.map((each) => [each.id, each.fn]));
    return this.spans.filter((each) => byId.has(each.parent)).map((each) => [byId.get(each.parent), each.fn]);
  },

  about(id) {
    const sum = this.totals.get(id);
    if (!sum) return [];
    return [el("p", {}, badge(`in the run: ${sum.count} ×, ${seconds(sum.seconds)}`, "amber"))];
  },
};

function seconds(value) {
  return value >= 1 ? `${value.toFixed(2)} s` : `${(value * 1000).toFixed(value < 0.01 ? 2 : 0)} ms`;
}
