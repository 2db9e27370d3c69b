// The state is the address: what is chosen and filtered, so that back, forward and links work.
"use strict";

const State = { fn: "", module: "", entry: "", room: "", level: 0 };

function go(change) {
  const next = { ...State, ...change };
  if (change.fn) next.module = "";
  if (change.module) next.fn = "";
  const parts = Object.entries(next).filter(([, value]) => value)
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replace(/%3A/g, ":").replace(/%2F/g, "/")}`);
  const hash = `#${parts.join("&")}`;
  if (hash === location.hash) apply();
  else location.hash = hash;
}

function apply() {
  const before = { ...State };
  const asked = new URLSearchParams(location.hash.slice(1).replace(/\+/g, "%2B"));
  for (const name of ["fn", "module", "entry", "room"]) State[name] = asked.get(name) ?? "";
  State.level = Number(asked.get("level")) || 0;
  for (const name of ["entry", "room", "level"]) document.getElementById(name).value = String(State[name]);
  const module = State.module || State.fn.split(":")[0];
  if (module && Program.modules.has(module) && !FlowMap.opened.has(module)) FlowMap.opened.add(module);
  if (State.room && module && Program.modules.get(module)?.room !== State.room) State.room = "";
  FlowMap.draw();
  if (before.room !== State.room) FlowMap.fit();
  if (State.fn || State.module) FlowMap.show(State.fn || State.module);
  Detail.show();
  Lists.way();
  Lists.current();
  document.title = `${State.fn || State.module || "The program"}: ${Program.data.title}`;
}

function keys(event) {
  if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const action = {
    "/": () => document.getElementById("search").focus(),
    "[": () => history.back(),
    "]": () => history.forward(),
    0: () => FlowMap.fit(),
  }[event.key];
  if (action) { event.preventDefault(); action(); }
}

Program.load(document.getElementById("data").textContent).then(() => {
  FlowMap.start(document.getElementById("map"));
  Lists.start();
  Search.start();
  Trace.start();
  for (const name of ["room", "level"]) {
    document.getElementById(name).addEventListener("change", (event) => go({ [name]: event.target.value }));
  }
  document.getElementById("entry").addEventListener("change", ({ target }) => go({ entry: target.value, fn: target.value || State.fn }));
  document.getElementById("back").addEventListener("click", () => history.back());
  document.getElementById("forward").addEventListener("click", () => history.forward());
  document.getElementById("fit").addEventListener("click", () => FlowMap.fit());
  document.addEventListener("keydown", keys);
  addEventListener("hashchange", apply);
  apply();
  document.body.dataset.ready = "true";
});
