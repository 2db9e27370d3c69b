// What is known of the chosen function or module.
"use strict";

const Detail = {
  show() {
    const box = document.getElementById("detail");
    const fn = Program.functions.get(State.fn), module = Program.modules.get(State.module);
    if (fn) box.replaceChildren(...this.ofFunction(fn));
    else if (module) box.replaceChildren(...this.ofModule(module));
    else if (State.fn || State.module) box.replaceChildren(el("p", {}, `${State.fn || State.module}: there is no such function or module here.`));
    else box.replaceChildren(...this.ofProgram());
    box.scrollTop = 0;
  },

  ofProgram() {
    const { data } = Program;
    const total = data.calls_resolved + data.calls_unresolved;
    return [
      el("h2", {}, data.title),
      el("p", {}, `${Program.modules.size} modules, ${Program.functions.size} functions. Of ${total} calls, ${data.calls_resolved} are resolved.`),
      el("p", { class: "hint" }, "Click a module to open it, a function to read it. Keys: / search, [ back, ] forward, 0 whole map."),
      ...listed("Entry points", Program.entries.map((e) => [entryLink(e)])),
      ...listed("Problems", data.problems.map((each) => [each])),
      ...listed("Recursive", data.recursive.map((group) => group.flatMap((id) => [link(id), " "]))),
      ...listed("Without a caller", data.functions.filter((f) => f.uncalled).map((f) => [link(f.id)])),
    ];
  },

  ofModule(module) {
    const importers = [...Program.modules.values()].filter((m) => m.imports.includes(module.id));
    return [
      el("h2", {}, module.id),
      el("p", { class: "soft" }, `${module.file}, ${module.lines} lines, in ${module.room}`),
      text(module.text),
      ...listed("Classes", module.classes.map((c) => [el("b", {}, c.name), c.bases.length ? ` (${c.bases.join(", ")}) ` : " ", el("span", { class: "soft" }, c.text.split("\n")[0])])),
      ...listed("Functions", module.functions.map((f) => [badge(f.complexity, level(f.complexity)), link(f.id, f.name)])),
      ...listed("Imports", module.imports.map((id) => [moduleLink(id)])),
      ...listed("Imported by", importers.map((m) => [moduleLink(m.id)])),
    ];
  },

  ofFunction(fn) {
    const entry = Program.entries.find((e) => e.function === fn.id);
    const callers = Program.callersOf(fn.id), callees = Program.calleesOf(fn.id);
    return [
      el("h2", {}, fn.name),
      el("p", { class: "soft" }, moduleLink(fn.module), ` ${Program.modules.get(fn.module).file}:${fn.line}`),
      el("p", {},
        badge(`complexity ${fn.complexity}`, level(fn.complexity)),
        entry && badge(`entry point: ${entry.kind} ${entry.name}`, "green"),
        fn.recursive !== undefined && badge("recursive", "amber"),
        fn.uncalled && badge("no caller", "amber"),
        fn.deprecated && badge(`deprecated: ${fn.deprecated}`, "red"),
        ...(fn.decorators ?? []).map((each) => badge(`@${each.split("(")[0]}`, "soft"))),
      el("pre", {}, fn.signature),
      text(fn.text ?? ""),
      ...Trace.about(fn.id),
      ...this.parameters(fn),
      ...listed("Returns", fn.returns || fn.return_type ? [[el("code", {}, fn.return_type ?? ""), ` ${fn.returns ?? ""}`]] : []),
      ...listed("Raises", (fn.raises ?? []).map(([name, when]) => [el("code", {}, name), ` ${when}`])),
      ...listed("Examples", (fn.examples ?? []).map((each) => [el("pre", {}, each)])),
      ...this.way(fn),
      ...listed(`Called by (${callers.length})`, callers.map((c) => [kind(c), link(c.caller)])),
      ...listed(`Calls (${callees.length})`, callees.map((c) => [kind(c), link(c.callee)])),
      el("h3", {}, "Source"),
      source(fn),
    ];
  },

  parameters(fn) {
    const rows = (fn.parameters ?? []).map((p) => el("tr", {},
      el("td", {}, el("code", {}, `${p.kind?.startsWith("*") ? p.kind : ""}${p.name}`)),
      el("td", {}, el("code", {}, `${p.type ?? ""}${p.default ? ` = ${p.default}` : ""}`)),
      el("td", {}, p.text ?? "")));
    if (!rows.length) return [];
    return [el("h3", {}, "Parameters"), el("table", {}, el("tbody", {}, ...rows))];
  },

  way(fn) {
    const way = Program.wayTo(fn.id, State.entry);
    if (way.length < 2) return [];
    return listed("The shortest way here", way.map((id) => [link(id)]));
  },
};

function listed(title, items) {
  if (!items.length) return [];
  return [el("h3", {}, title), el("ul", { class: "plain" }, ...items.map((parts) => el("li", {}, ...parts)))];
}

function text(value) { return el("pre", { class: "text" }, value); }
function badge(value, color) { return el("span", { class: `badge ${color}` }, String(value)); }

function kind(call) {
  if (call.kind === "call") return "";
  return badge(call.kind + (call.key ? ` "${call.key}"` : ""), "soft");
}

function link(id, label) {
  return el("button", { class: "name", onclick: () => go({ fn: id }), title: id }, label ?? id.replace(":", ": "));
}

// Choosing an entry point reads it, and shows the way from it.
function entryLink(entry) {
  const to = { entry: entry.function, fn: entry.function };
  return el("button", { class: "name", onclick: () => go(to), title: entry.function }, `${entry.kind}: ${entry.name}`);
}

function moduleLink(id) {
  return el("button", { class: "name", onclick: () => go({ module: id }) }, id);
}
