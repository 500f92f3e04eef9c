// The field that finds things, and single keys. Every page works without it.
const $ = (selector, within = document) => within.querySelector(selector);
const field = $("#q"), home = document.body.dataset.home, off = document.body.dataset.keys === "off";
const say = (text) => { $("#said").textContent = text; };
const make = (tag, cls, ...content) => {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  e.append(...content);
  return e;
};

// The list below the field: a combobox, whose options are links.
let list, options = [], at = -1, asked = "", waiting;

function close() {
  list?.remove();
  list = undefined;
  options = [];
  at = -1;
  field.setAttribute("aria-expanded", "false");
  field.removeAttribute("aria-activedescendant");
}

function choose(to) {
  options[at]?.setAttribute("aria-selected", "false");
  at = (to + options.length + 1) % (options.length + 1);
  if (at === options.length) at = -1;
  const o = options[at];
  o?.setAttribute("aria-selected", "true");
  o?.scrollIntoView({ block: "nearest" });
  if (o) field.setAttribute("aria-activedescendant", o.id);
  else field.removeAttribute("aria-activedescendant");
}

// Texts of what was found become text nodes and nothing else.
function show(groups) {
  close();
  list = make("div", "found");
  list.id = "found";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "What was found");
  for (const g of groups) {
    const head = make("p", "small soft", g.kind), group = make("div", "", head);
    head.id = "found-" + list.childElementCount;
    group.setAttribute("role", "group");
    group.setAttribute("aria-labelledby", head.id);
    for (const h of g.hits) {
      const a = make("a", "", make("span", "what", h.title));
      if (h.state) a.append(make("span", "small st " + h.kind, h.state));
      if (h.note) a.append(make("span", "small soft note-of", h.note));
      a.href = h.path;
      a.id = "hit-" + options.length;
      a.tabIndex = -1;
      a.setAttribute("role", "option");
      a.setAttribute("aria-selected", "false");
      options.push(a);
      group.append(a);
    }
    list.append(group);
  }
  if (!options.length) list = make("div", "found", make("p", "small soft", "Nothing that you may see has all of these words."));
  field.form.append(list);
  field.setAttribute("aria-expanded", String(options.length > 0));
  say(options.length ? options.length + " found" : "Nothing found");
}

async function ask() {
  const text = field.value.trim();
  if (text === asked) return;
  asked = text;
  if (text.length < 2) return close();
  try {
    const answer = await fetch(field.form.action + "?q=" + encodeURIComponent(text), { headers: { Accept: "application/json" } });
    if (answer.ok && text === asked && document.activeElement === field) show(await answer.json());
  } catch { /* the form still works */ }
}

if (field) {
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", "found");
  field.setAttribute("aria-expanded", "false");
  field.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(ask, 120); });
  field.addEventListener("blur", () => setTimeout(() => { if (!field.form.contains(document.activeElement)) { close(); asked = ""; } }, 150));
  field.form.addEventListener("submit", (e) => {
    if (!options[at]) return;
    e.preventDefault();
    location = options[at].href;
  });
  field.addEventListener("keydown", (e) => {
    if (e.key === "ArrowDown" && options.length) choose(at + 1);
    else if (e.key === "ArrowUp" && options.length) choose(at < 0 ? options.length - 1 : at - 1);
    else if (e.key === "Escape" && list) close();
    else return;
    e.preventDefault();
  });
}

// Moves among the things that a selector finds, and tells where it is.
function move(selector, step) {
  const all = [...document.querySelectorAll(selector)].filter((e) => e.offsetParent);
  if (!all.length) return false;
  const here = all.findIndex((e) => e.contains(document.activeElement));
  const row = all[here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, here + step))];
  const to = $("a, summary", row) ?? row;
  if (to === row) row.tabIndex = -1;
  to.focus();
  row.scrollIntoView({ block: "nearest" });
  return true;
}

const link = (selector) => { const a = $(selector); a?.click(); return a; };
const ROWS = "main tbody tr:has(a), main .list > li:has(a)";
const BAD = "main tr:has(.st:is(.failed, .errored, .timed_out, .broken, .not_ready)), main .faults > li, main section:has(> .head .failed), main .l.on";
const PLACES = { d: "", r: "/releases", w: "/catalog", e: "/executions", f: "/tests" };
const DO = {
  "/": () => { const to = $("#find") ?? field; to.focus(); to.select(); return true; },
  "?": () => { location = home + "/keyboard"; return true; },
  j: () => move(ROWS, 1), k: () => move(ROWS, -1), n: () => link("a[data-next]") ?? move(BAD, 1), N: () => link("a[data-previous]") ?? move(BAD, -1),
  c: () => link("a[data-compare]"),
  ".": () => { navigator.clipboard?.writeText(location.href).then(() => say("The address is copied")); return true; },
};
let gone = 0;

if (home && !off) document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || e.target.closest("input, select, textarea, [contenteditable]")) return;
  const went = Date.now() - gone < 1500;
  gone = 0;
  if (went && e.key in PLACES) location = home + PLACES[e.key];
  else if (e.key === "g") gone = Date.now();
  else if (!(e.key in DO) || !DO[e.key]()) return;
  e.preventDefault();
});
