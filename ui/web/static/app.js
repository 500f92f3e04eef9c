// Follows logs and keeps pages fresh. Every page works without it.
// Blocks of a log that are kept, and rows in each.
const MAX = 50, ROWS = 100;
const $ = (selector, within = document) => within.querySelector(selector);
const main = $("#main");
const policy = window.trustedTypes?.createPolicy("page", { createHTML: (s) => s }) ?? { createHTML: (s) => s };
let source, last, fresh = 0, told = Date.now(), busy = false, again = false;

const log = () => $("#log");
const say = (text) => { $("#said").textContent = text; };
const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 40;
const make = (tag, cls, ...content) => {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  e.append(...content);
  return e;
};

// Texts from logs become text nodes and nothing else.
const run = (r) => {
  if (typeof r === "string") return r;
  if (!r[2]) return make("span", r[1], r[0]);
  const a = make("a", r[1], r[0]);
  a.href = a.title = r[2];
  a.rel = "noopener nofollow";
  return a;
};

function add(box, row, open) {
  let block = $(".block:last-of-type", box);
  if (!block || block.childElementCount >= ROWS) box.insertBefore(block = make("div", "block"), $(".jump", box));
  if (row.g) return block.append(make("div", "gap", row.g));
  const n = Number(box.dataset.line), text = make("span", "", ...(typeof row === "string" ? [row] : row.r ?? row).map(run));
  if (row.c) text.append(make("i", "soft", row.c));
  const link = make("a", "", n), line = make("div", "l", link, text);
  link.href = box.dataset.base + n + "#L" + n;
  link.tabIndex = -1;
  line.id = "L" + n;
  if (open) line.dataset.open = "";
  else box.dataset.line = n + 1;
  block.append(line);
}

function clear(box, line) {
  box.querySelectorAll(".block").forEach((b) => b.remove());
  box.dataset.line = line;
}

function lines(e) {
  const box = log();
  if (!box) return;
  const { l: rows, o: open } = JSON.parse(e.data), stick = atEnd(box), most = MAX * ROWS;
  last = e.lastEventId;
  $("[data-open]", box)?.remove();
  if (rows.length > most) {
    const dropped = rows.splice(0, rows.length - most);
    clear(box, Number(box.dataset.line) + dropped.filter((r) => !r.g).length);
  }
  rows.forEach((r, i) => add(box, r, open && i === rows.length - 1));
  const blocks = box.querySelectorAll(".block");
  for (let i = 0; i < blocks.length - MAX; i++) blocks[i].remove();
  if (stick) box.scrollTop = box.scrollHeight;
  else jump(box).hidden = false;
  fresh += rows.length;
  if (Date.now() - told > 10000) {
    say(fresh + " new log lines");
    told = Date.now();
    fresh = 0;
  }
}

function skip(e) {
  const box = log();
  last = e.lastEventId;
  if (box) clear(box, JSON.parse(e.data).line);
}

function jump(box) {
  let b = $(".jump", box);
  if (b) return b;
  b = make("button", "jump", "Newest lines");
  b.hidden = true;
  b.onclick = () => { box.scrollTop = box.scrollHeight; box.focus(); };
  box.append(b);
  box.addEventListener("scroll", () => { if (atEnd(box)) b.hidden = true; }, { passive: true });
  return b;
}

// Parts marked data-live are replaced by what they are now; a log is only when it is another one, and a form not while in use.
function swap(doc) {
  for (const now of doc.querySelectorAll("[data-live]")) {
    const old = $("#" + now.id), focus = document.activeElement;
    if (!old || old.isEqualNode(now) || (old.contains(focus) && focus.closest("form"))) continue;
    if (now.dataset.key && now.dataset.key === old.dataset.key) {
      const size = $("#log-size", old), text = $("#log-size", now);
      if (size && text) size.textContent = text.textContent;
      continue;
    }
    if (now.dataset.key) last = undefined;
    const was = old.querySelectorAll("details");
    // What is open stays open, found by its id where the list may change, else by its place; what is new is as the page has it.
    now.querySelectorAll("details").forEach((d, i) => { d.open = (d.id ? $("#" + d.id, old) : was[i])?.open ?? d.open; });
    const before = $("#sentence", old)?.innerText;
    old.replaceWith(document.importNode(now, true));
    const after = $("#sentence")?.innerText;
    if (now.id === "verdict" && before !== after) say(after);
    if (now.dataset.key) settle();
  }
  const next = $("#main", doc)?.dataset ?? {};
  document.title = doc.title;
  main.dataset.version = next.version ?? "";
  main.dataset.events = next.events ?? "";
}

async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch(location.href);
    if (answer.redirected || !answer.ok) return location.reload();
    swap(new DOMParser().parseFromString(policy.createHTML(await answer.text()), "text/html"));
    if (!source || new URL(source.url).pathname !== main.dataset.events.split("?")[0]) connect();
  } catch { /* the control plane is away: the stream connects again by itself */ }
  setTimeout(() => { busy = false; if (again) { again = false; refresh(); } }, 1000);
}

function connect() {
  source?.close();
  source = undefined;
  if (!main.dataset.events || document.hidden) return;
  const at = new URL(main.dataset.events, location);
  if (last && at.searchParams.has("from")) at.searchParams.set("from", last);
  const s = source = new EventSource(at);
  s.addEventListener("lines", lines);
  s.addEventListener("skip", skip);
  s.addEventListener("status", (e) => { if (JSON.parse(e.data).version !== main.dataset.version) refresh(); });
  s.addEventListener("complete", () => { s.close(); source = undefined; refresh(); });
  s.onerror = () => { if (s.readyState === 2 && s === source) { source = undefined; setTimeout(refresh, 5000); } };
}

// Shows the lines that the address points at, else the newest ones, unless a whole log is read from its beginning.
function settle() {
  const box = log();
  if (!box) return;
  const mark = $(".on", box), end = main.dataset.events || !box.classList.contains("tall");
  // Blocks get their true height only when they are near: aim again until they have it.
  const aim = (tries) => {
    if (mark) box.scrollTop += mark.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 3;
    else box.scrollTop = box.scrollHeight;
    if (tries) requestAnimationFrame(() => aim(tries - 1));
  };
  if (mark || end) aim(6);
  box.addEventListener("click", (e) => {
    const to = Number(e.target.closest(".l > a")?.textContent), from = Number($(".on", box)?.id.slice(1));
    if (!e.shiftKey || !to || !from) return;
    e.preventDefault();
    const first = Math.min(from, to);
    location = box.dataset.base + first + "-" + Math.max(from, to) + "#L" + first;
  });
}

for (const text of document.querySelectorAll("[data-copy]")) {
  const b = make("button", "", "Copy");
  b.onclick = () => navigator.clipboard.writeText(text.textContent).then(() => { b.textContent = "Copied"; say("Copied"); });
  if (navigator.clipboard) text.after(make("div", "", b));
}
settle();
connect();
document.addEventListener("visibilitychange", () => { if (document.hidden) connect(); else if (main.dataset.events) refresh(); });
