// The map: folders as rooms, modules in them, functions of the opened modules, calls as lines.
"use strict";

const BOX = { width: 150, height: 30, gap: 14, head: 34 };

const FlowMap = {
  opened: new Set(),
  lit: new Set(),

  start(container) {
    this.cy = cytoscape({
      container, style: this.style(), elements: [],
      minZoom: 0.03, maxZoom: 3, hideEdgesOnViewport: true,
      autoungrabify: true, boxSelectionEnabled: false,
    });
    this.cy.on("tap", "node", (event) => {
      const { kind, ref } = event.target.data();
      if (kind !== "room") go({ [kind]: ref });
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.cy.style(this.style()));
    this.draw();
    this.fit();
  },

  style() {
    const css = getComputedStyle(document.documentElement);
    const color = (name) => css.getPropertyValue(`--${name}`).trim();
    const box = { label: "data(label)", "font-size": 12, "min-zoomed-font-size": 6, color: color("text"),
      "text-valign": "center", "background-color": color("box"), shape: "round-rectangle",
      "border-width": 1, "border-color": color("border"), width: BOX.width, height: BOX.height,
      "text-max-width": BOX.width - 10, "text-wrap": "ellipsis" };
    return [
      { selector: "node", style: box },
      { selector: ":parent", style: { "background-color": color("box"), "text-valign": "top", "font-size": 13,
        "text-max-width": 600, padding: 8, "text-margin-y": -2 } },
      { selector: "node[kind='room']", style: { "background-color": color("room"), "font-size": 22,
        "min-zoomed-font-size": 4, "font-weight": 600, padding: 12 } },
      { selector: ".red", style: { "border-color": color("red"), "border-width": 3 } },
      { selector: ".amber", style: { "border-color": color("amber"), "border-width": 2 } },
      { selector: "edge", style: { width: 1, "line-color": color("line"), opacity: 0.25, "curve-style": "haystack" } },
      { selector: ".lit", style: { "background-color": color("lit"), color: color("back"), "line-color": color("lit"), opacity: 1 } },
      { selector: ":parent.lit", style: { "background-color": color("box"), color: color("lit"),
        "border-color": color("lit"), "border-width": 3 } },
      { selector: "edge.lit", style: { width: 3 } },
      { selector: ".near", style: { "line-color": color("here"), "target-arrow-color": color("here"),
        "target-arrow-shape": "triangle", "curve-style": "bezier", opacity: 0.9, width: 1.5 } },
      { selector: ".here", style: { "border-color": color("here"), "border-width": 4 } },
      { selector: ".dim", style: { opacity: 0.15 } },
      { selector: "node[kind='room'].dim", style: { opacity: 0.4 } },
    ];
  },

  // Bring nodes and lines to what is to be seen, each in its place.
  draw() {
    const seen = [State.room, ...this.opened].join(" ");
    if (this.seen === seen) { this.mark(); return; }
    this.seen = seen;
    const elements = [];
    const visible = (m) => !State.room || m.room === State.room;
    const rooms = [...Program.rooms].map(([room, modules]) => this.room(room, modules.filter(visible)));
    const placed = pack(rooms.filter((each) => each.children.length), 1.6);
    for (const room of placed.children) this.place(room, room.x, room.y, elements);
    elements.push(...this.lines());
    this.replace(elements);
    this.mark();
  },

  // Styling takes longest, so what is there already only moves.
  replace(elements) {
    const { cy } = this;
    const wanted = new Map(elements.map((each) => [each.data.id, each]));
    const stays = (each) => wanted.has(each.id()) && each.isParent() === Boolean(wanted.get(each.id()).isParent);
    cy.batch(() => {
      cy.elements().filter((each) => !stays(each)).remove();
      const fresh = [];
      for (const each of elements) {
        const there = cy.getElementById(each.data.id);
        if (!there.length) fresh.push(each);
        else if (each.position) there.position(each.position);
      }
      cy.add(fresh);
    });
  },

  room(room, modules) {
    const children = modules.filter((m) => m.functions.length || m.classes.length).map((m) => this.module(m));
    const packed = pack(children, 1.4);
    const width = Math.max(packed.width, room.length * 13); // as wide as its name
    return { ...packed, width, id: `room ${room}`, data: { kind: "room", ref: room, label: room } };
  },

  module(module) {
    const label = module.file.split("/").at(-1).replace(/\.py$/, "");
    const own = { id: module.id, data: { kind: "module", ref: module.id, label: label === "__init__" ? module.id.split(".").at(-1) : label } };
    if (!this.opened.has(module.id)) return { ...own, width: BOX.width, height: BOX.height, children: [] };
    const children = module.functions.map((f) => ({
      id: f.id, classes: level(f.complexity), children: [], width: BOX.width, height: BOX.height,
      data: { kind: "fn", ref: f.id, label: f.name },
    }));
    return { ...pack(children, 1.2), ...own };
  },

  place(box, x, y, elements, parent) {
    const isParent = box.children.length > 0;
    const node = { group: "nodes", data: { id: box.id, parent, ...box.data }, classes: box.classes ?? "", isParent };
    if (!isParent) node.position = { x: x + box.width / 2, y: y + box.height / 2 };
    elements.push(node);
    for (const each of box.children) this.place(each, x + each.x, y + each.y, elements, box.id);
  },

  // Where a function is on the map: itself, or its module while that is closed.
  shown(id) {
    const module = id.split(":")[0];
    return this.opened.has(module) ? id : module;
  },

  lines() {
    const lines = new Map();
    for (const [caller, callee] of Program.data.calls) {
      const source = this.shown(caller), target = this.shown(callee);
      const inRoom = (id) => !State.room || Program.modules.get(id.split(":")[0]).room === State.room;
      if (source !== target && inRoom(source) && inRoom(target)) {
        lines.set(`${source} > ${target}`, { group: "edges", data: { id: `${source} > ${target}`, source, target } });
      }
    }
    return lines.values();
  },

  // Show what is chosen, filtered and lit, without moving anything.
  mark() {
    const { cy } = this;
    const chosen = State.fn ? this.shown(State.fn) : State.module;
    const reached = State.entry ? new Set([...Program.reachable(State.entry)].flatMap((id) => [id, id.split(":")[0]])) : null;
    const complex = State.level ? new Set(Program.data.functions.filter((f) => f.complexity > State.level).flatMap((f) => [f.id, f.module])) : null;
    cy.batch(() => {
      cy.$(".dim, .near, .here, .lit").removeClass("dim near here lit");
      const keep = (id) => (!reached || reached.has(id)) && (!complex || complex.has(id));
      if (reached || complex) {
        cy.nodes("[kind != 'room']").filter((n) => !keep(n.id())).addClass("dim");
        cy.edges().filter((e) => e.source().hasClass("dim") || e.target().hasClass("dim")).addClass("dim");
      }
      for (const id of this.lit) cy.getElementById(id).addClass("lit");
      for (const each of Trace.links()) cy.getElementById(`${this.shown(each[0])} > ${this.shown(each[1])}`).addClass("lit");
      const node = chosen && cy.getElementById(chosen);
      if (node?.length) node.addClass("here").connectedEdges().removeClass("dim").addClass("near");
    });
  },

  show(id) {
    const node = this.cy.getElementById(this.shown(id));
    if (!node.length) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const view = { center: { eles: node }, zoom: Math.max(this.cy.zoom(), 0.8) };
    if (still) { this.cy.zoom(view.zoom); this.cy.center(node); } else this.cy.animate(view, { duration: 200 });
  },

  fit() { this.cy.resize(); this.cy.fit(undefined, 20); },
};

// Put boxes in rows, as wide as makes the whole `ratio` times as wide as it is high.
function pack(boxes, ratio) {
  const area = boxes.reduce((sum, b) => sum + (b.width + BOX.gap) * (b.height + BOX.gap), 0);
  const widest = Math.max(Math.sqrt(area * ratio), ...boxes.map((b) => b.width));
  let x = BOX.gap, y = BOX.head, tall = 0, width = BOX.width;
  const children = [...boxes].sort((a, b) => b.height - a.height).map((box) => {
    if (x > BOX.gap && x + box.width > widest + BOX.gap) { x = BOX.gap; y += tall + BOX.gap; tall = 0; }
    const placed = { ...box, x, y };
    x += box.width + BOX.gap;
    width = Math.max(width, x);
    tall = Math.max(tall, box.height);
    return placed;
  });
  return { children, width: width + BOX.gap, height: y + tall + BOX.gap };
}
