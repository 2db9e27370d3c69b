// The lists beside the map: modules, the way from an entry point, complex functions; the search.
"use strict";

const Lists = {
  start() {
    this.outline();
    this.complex();
    const groups = new Map();
    for (const e of Program.entries) push(groups, e.kind, e);
    for (const [name, entries] of groups) {
      document.getElementById("entry").append(el("optgroup", { label: name }, ...entries.map((e) => el("option", { value: e.function }, e.name))));
    }
    for (const room of [...Program.rooms.keys()].sort()) {
      document.getElementById("room").append(el("option", { value: room }, room));
    }
    const tabs = [...document.querySelectorAll("[role=tab]")];
    for (const tab of tabs) {
      tab.addEventListener("click", () => this.tab(tab.id.slice(4)));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
        this.tab(next.id.slice(4));
        next.focus();
      });
    }
  },

  tab(name) {
    for (const tab of document.querySelectorAll("[role=tab]")) {
      const chosen = tab.id === `tab-${name}`;
      tab.setAttribute("aria-selected", chosen);
      tab.tabIndex = chosen ? 0 : -1;
      document.getElementById(tab.id.slice(4)).hidden = !chosen;
    }
  },

  // Folders, modules and functions; what is below is made when it is opened.
  outline() {
    const folders = [...Program.rooms].sort(([a], [b]) => (a < b ? -1 : 1)).map(([room, modules]) =>
      lazily(room, () => modules.map((m) => lazily(m.id.split(".").at(-1), () => [
        el("ul", { class: "plain" }, el("li", {}, moduleLink(m.id)), ...m.functions.map((f) => el("li", {}, link(f.id, f.name))))]))));
    document.getElementById("outline").replaceChildren(...folders);
  },

  complex() {
    const rows = Program.data.functions.filter((f) => f.complexity > 5)
      .sort((a, b) => b.complexity - a.complexity).slice(0, 300)
      .map((f) => el("tr", {}, el("td", { class: `number ${level(f.complexity)}` }, String(f.complexity)), el("td", {}, link(f.id))));
    document.getElementById("complex").replaceChildren(
      el("p", { class: "hint" }, "Cyclomatic complexity: red above 10, amber above 5."),
      el("table", {}, el("tbody", {}, ...rows)));
  },

  // The calls from an entry point in order, as a tree of which branches are opened.
  way() {
    const box = document.getElementById("way");
    if (this.shownEntry === State.entry) return;
    this.shownEntry = State.entry;
    const entry = Program.entries.find((e) => e.function === State.entry);
    if (!State.entry) return;
    const root = el("ul", { class: "tree" }, this.branch({ callee: State.entry, kind: "call" }, [], entry?.name));
    box.replaceChildren(el("h2", {}, `From ${entry?.name ?? State.entry}`),
      el("p", { class: "hint" }, "Calls in the order of the lines. ▸ opens a branch; grey is called from everywhere."), root);
    this.tab("way");
  },

  branch(call, above, name) {
    const id = call.callee, known = above.includes(id);
    const callees = known ? [] : this.chosen(Program.calleesOf(id), name);
    const below = el("ul", { hidden: true });
    const toggle = el("button", { class: "open", "aria-expanded": "false", "aria-label": `Calls of ${id}`, onclick: () => open(below.hidden) }, "▸");
    const open = (now) => {
      if (!below.childElementCount) below.append(...callees.map((each) => this.branch(each, [...above, id], name)));
      below.hidden = !now;
      toggle.textContent = now ? "▾" : "▸";
      toggle.setAttribute("aria-expanded", now);
    };
    const [module, short] = id.split(":");
    const label = el("button", { class: "go", "data-fn": id, title: id, onclick: () => go({ fn: id }) }, short);
    const line = el("div", { class: "line" }, callees.length ? toggle : el("span", { class: "open" }, "·"), label,
      kind(call), el("small", {}, module.split(".").slice(-2).join("."), known ? " (see above)" : ""));
    const common = Program.common.has(id) && above.length;
    if (callees.length && !common && (above.length < 2 || call.key)) open(true);
    else if (callees.length && above.length < 4 && callees.some((each) => each.key)) open(true);
    return el("li", { class: [common ? "common" : "", FlowMap.lit.has(id) ? "lit" : ""].join(" ") }, line, below);
  },

  // Of a table of functions, only what has the entry point's own key: `HANDLERS["shard"]`.
  chosen(calls, name) {
    const own = calls.filter((each) => each.kind === "table" && each.key === name);
    return own.length ? calls.filter((each) => each.kind !== "table" || each.key === name) : calls;
  },

  current() {
    for (const each of document.querySelectorAll("[data-fn]")) {
      each.toggleAttribute("aria-current", false);
      if (each.dataset.fn === State.fn) each.setAttribute("aria-current", "true");
    }
  },
};

function lazily(title, make) {
  const details = el("details", {}, el("summary", {}, title));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(el("div", { class: "tree" }, el("ul", {}, ...make().map((each) => el("li", {}, each)))));
  });
  return details;
}

const Search = {
  at: -1,
  start() {
    this.input = document.getElementById("search");
    this.list = document.getElementById("found");
    this.input.addEventListener("input", () => this.find());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
  },

  find() {
    this.found = Program.search(this.input.value);
    this.list.replaceChildren(...this.found.map((each, i) => el("li", { role: "option", id: `found-${i}`, onmousedown: (event) => { event.preventDefault(); this.take(i); } },
      each.id.replace(":", ": "), " ", el("small", {}, each.kind === "fn" ? "function" : each.kind))));
    this.list.hidden = !this.found.length;
    this.input.setAttribute("aria-expanded", Boolean(this.found.length));
    this.move(this.found.length ? 0 : -1);
  },

  move(to) {
    this.at = to;
    [...this.list.children].forEach((each, i) => each.setAttribute("aria-selected", i === to));
    this.list.children[to]?.scrollIntoView({ block: "nearest" });
    if (to >= 0) this.input.setAttribute("aria-activedescendant", `found-${to}`);
    else this.input.removeAttribute("aria-activedescendant");
  },

  key(event) {
    const size = this.list.hidden ? 0 : this.found.length;
    if (event.key === "Escape") this.close();
    if (!size) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); this.move((this.at + step + size) % size); }
    if (event.key === "Enter") this.take(this.at);
  },

  take(i) {
    const { kind: what, id } = this.found[i];
    this.close();
    go(what === "fn" ? { fn: id } : { module: id.split(":")[0] });
    document.getElementById("detail").focus();
  },

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", false);
    this.input.removeAttribute("aria-activedescendant");
  },
};
