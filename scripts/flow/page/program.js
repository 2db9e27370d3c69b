// The program: what flow.json says, by id, and the questions that the page asks of it.
"use strict";

const Program = {
  async load(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    this.read(await new Response(stream).json());
  },

  read(data) {
    this.data = data;
    this.functions = new Map(data.functions.map((each) => [each.id, each]));
    this.modules = new Map(data.modules.map((each) => [each.id, { ...each, functions: [] }]));
    for (const each of data.functions) this.modules.get(each.module).functions.push(each);
    this.rooms = Map.groupBy ? Map.groupBy(this.modules.values(), (m) => m.room) : grouped(this.modules.values());
    this.calls = new Map();
    this.callers = new Map();
    for (const [caller, callee, kind, line, key] of data.calls) {
      const call = { caller, callee, kind, line, key };
      push(this.calls, caller, call);
      push(this.callers, callee, call);
    }
    for (const list of this.calls.values()) list.sort((a, b) => a.line - b.line);
    this.entries = data.entries;
    this.common = new Set();
    for (const [id, list] of this.callers) {
      if (new Set(list.map((c) => c.caller.split(":")[0])).size > 12) this.common.add(id);
    }
  },

  // Each function that is called, once, in the order of the lines.
  calleesOf(id) { return once(this.calls.get(id) ?? [], "callee"); },
  callersOf(id) { return once(this.callers.get(id) ?? [], "caller"); },

  reachable(id) {
    const seen = new Set([id]);
    for (const each of seen) for (const call of this.calls.get(each) ?? []) seen.add(call.callee);
    return seen;
  },

  // The shortest way to the function, as ids: from the entry point, or the nearest one of a user
  // (a command, a function of the cloud), or else of a script that is run by hand.
  wayTo(id, from) {
    if (from) return this.wayFrom([from], id);
    const ends = (isMain) => this.entries.filter((e) => (e.kind === "main") === isMain).map((e) => e.function);
    const way = this.wayFrom(ends(false), id);
    return way.length ? way : this.wayFrom(ends(true), id);
  },

  wayFrom(entries, id) {
    const ends = new Set(entries);
    const next = new Map([[id, null]]);
    for (const each of next.keys()) {
      if (ends.has(each)) {
        const way = [];
        for (let at = each; at; at = next.get(at)) way.push(at);
        return way;
      }
      for (const call of this.callers.get(each) ?? []) {
        if (!next.has(call.caller)) next.set(call.caller, each);
      }
    }
    return [];
  },

  search(words) {
    const wanted = words.toLowerCase().split(/[\s.:/]+/).filter(Boolean);
    if (!wanted.length) return [];
    const found = [];
    const look = (kind, id, name) => {
      const text = id.toLowerCase();
      if (!wanted.every((word) => text.includes(word))) return;
      const last = wanted.at(-1), short = name.toLowerCase();
      const rank = short === last ? 0 : short.startsWith(last) ? 1 : short.includes(last) ? 2 : 3;
      found.push({ kind, id, rank });
    };
    for (const each of this.modules.values()) {
      look("module", each.id, each.id.split(".").at(-1));
      for (const cls of each.classes) look("class", `${each.id}:${cls.name}`, cls.name);
    }
    for (const each of this.functions.values()) look("fn", each.id, each.name.split(".").at(-1));
    return found.sort((a, b) => a.rank - b.rank || a.id.length - b.id.length).slice(0, 40);
  },
};

function push(map, key, value) {
  if (!map.has(key)) map.set(key, []);
  map.get(key).push(value);
}

function grouped(modules) {
  const rooms = new Map();
  for (const each of modules) push(rooms, each.room, each);
  return rooms;
}

function once(calls, end) {
  const seen = new Map();
  for (const call of calls) {
    const before = seen.get(call[end]);
    if (!before || (before.kind === "passed" && call.kind === "call")) seen.set(call[end], call);
  }
  return [...seen.values()];
}

function level(complexity) {
  return complexity > 10 ? "red" : complexity > 5 ? "amber" : "green";
}

// An element with attributes (on... are listeners) and children; texts are never HTML.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((each) => each != null && each !== false));
  return node;
}
