// The source of a function in colours, made when it is shown: to colour all of them when the page is
// made takes Pygments as long as reading the program.
"use strict";

const PIECES = new RegExp([
  /(?<S>\b[rbfu]{0,2}(?:"""[^]*?"""|'''[^]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(?:"""[^]*?"""|'''[^]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))/,
  /(?<C>#.*)/,
  /(?<=\b(?:def|class)\s+)(?<F>\w+)/,
  /(?<D>@[\w.]+)/,
  /\b(?<K>False|None|True|and|as|assert|async|await|break|case|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|match|nonlocal|not|or|pass|raise|return|try|while|with|yield)\b/,
  /\b(?<M>\d[\w.]*)/,
].map((each) => each.source).join("|"), "gi");

function source(fn) {
  const pre = el("pre", { class: "source", tabindex: "0" });
  let at = 0;
  for (const match of fn.source.matchAll(PIECES)) {
    const [color] = Object.entries(match.groups).find(([, piece]) => piece);
    pre.append(fn.source.slice(at, match.index), el("span", { class: color }, match[0]));
    at = match.index + match[0].length;
  }
  pre.append(fn.source.slice(at));
  return pre;
}
