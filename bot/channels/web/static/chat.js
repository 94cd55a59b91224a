/* The citizens' chat. Plain ES2017; every text enters the page as text, never as markup.
   The talk is kept in the tab's sessionStorage, its token in localStorage. What happens to the line and what was
   said unasked is told to page.js by an event "congdanso". */
(function () {
  "use strict";

  const byId = (id) => document.getElementById(id);
  const log = byId("log");
  const question = byId("question");
  const words = JSON.parse(byId("chat").dataset.words);
  const finePointer = matchMedia("(hover: hover) and (pointer: fine)").matches;

  // Storage may be full, or forbidden: then the conversation lasts as long as the page.
  function load(store, key) {
    try { return window[store].getItem("congdanso." + key); } catch (e) { return null; }
  }
  function save(store, key, value) {
    try {
      if (value === null) window[store].removeItem("congdanso." + key);
      else window[store].setItem("congdanso." + key, value);
    } catch (e) { /* see above */ }
  }

  // An entry: {me, id, send, state: waiting|failed|done, detail, refused} or {bot: replies}.
  const { entries, pushed } = JSON.parse(load("sessionStorage", "chat") || '{"entries": [], "pushed": []}');
  const nodes = new Map();
  const asked = new URLSearchParams(location.search);
  const unit = /^[a-z0-9-]{1,48}$/.test(asked.get("u") || "") ? asked.get("u") : "";
  // Opens the conversation; from a commune's page, with that commune. The id makes it happen once.
  const opener = unit ? { id: "start:" + unit, payload: "start:u_" + unit } : { id: "start", payload: "start" };
  let token = load("localStorage", "token");
  let started = load("localStorage", "started");
  let lastEvent = load("sessionStorage", "last");
  let opening = null;
  let listening = false;
  let queue = Promise.resolve();
  let waiting = 0;

  function remember() {
    save("sessionStorage", "chat", JSON.stringify({ entries: entries.slice(-60), pushed: pushed.slice(-60) }));
  }

  const tell = (what) => document.dispatchEvent(new CustomEvent("congdanso", { detail: what }));

  // Drawing

  function make(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function press(className, label, data) {
    const button = make("button", className, label);
    button.type = "button";
    Object.assign(button.dataset, data);
    return button;
  }

  function link(className, text, url) {
    if (!/^(https?:\/\/|tel:|\/(?!\/))/i.test(url || "")) return make("span", className, text);
    const node = make("a", className, text);
    node.href = url;
    node.target = "_blank";
    node.rel = "noopener";
    return node;
  }

  function drawReply(reply) {
    const turn = make("div", "turn bot latest");
    const bubble = make("div", "bubble");
    turn.append(make("span", "unseen", words.bot), bubble);
    const buttons = reply.buttons;
    // A numbered list of the buttons' own labels is for messengers without buttons; here the buttons carry the numbers.
    const all = reply.text.split("\n").filter((line) => line.trim());
    const numbered = buttons.map((b, i) => i + 1 + ". " + b.label).filter((line) => all.includes(line));
    const lines = all.filter((line) => !numbered.includes(line));
    lines.forEach((line, i) => {
      const [, mark, text] = /^([•–-] |\d+\. )?(.*)$/.exec(line);
      const kind = !mark ? "" : /\d/.test(mark) ? "item numbered" : "item";
      const node = make("p", i === 0 && (lines.length > 1 || reply.source) ? kind + " first" : kind);
      if (mark) node.append(make("span", "", mark));
      node.append(text);
      bubble.append(node);
    });
    if (reply.source) {
      const source = make("p", "source", words.according_to);
      const day = String(reply.source.seen_on).split("-").reverse().map(Number).join("/");
      source.append(link("", reply.source.title, reply.source.url), words.seen_on + day + ".");
      const ground = make("div", "ground");
      ground.append(source, press("share", words.share, {}));
      turn.append(ground);
    }
    if (reply.attachments.length) {
      const files = make("div", "files");
      reply.attachments.forEach((file) => files.append(link("", file.title, file.url)));
      turn.append(files);
    }
    if (buttons.length) turn.append(drawSteps(buttons, numbered));
    return turn;
  }

  function drawSteps(buttons, numbered) {
    const steps = make("div", numbered.length ? "steps choices" : "steps");
    buttons.forEach((b, i) => {
      if (b.url) return steps.append(link("step", b.label, b.url));
      const label = numbered.find((line) => line === i + 1 + ". " + b.label) || b.label;
      steps.append(press("step", label, { payload: b.payload, label: b.label }));
    });
    return steps;
  }

  // What stands below the introduction, and the way to begin again: made here, for without a script they would do nothing.
  function drawOpening(opening) {
    const turn = log.querySelector(".turn");
    turn.append(drawSteps(opening.buttons, []));
    if (opening.examples.length) {
      const examples = make("div", "examples");
      const title = make("p", "", words.examples_title);
      const list = make("ul", "");
      title.id = "examples-title";
      list.setAttribute("aria-labelledby", title.id);
      opening.examples.forEach((text) => {
        const item = make("li", "");
        item.append(press("example", text, { text: text }));
        list.append(item);
      });
      examples.append(title, list);
      turn.append(examples);
    }
  }

  const afresh = press("", words.afresh, {});
  const keep = press("", words.afresh_no, {});
  const leave = press("", words.afresh_yes, {});
  const sure = make("div", "sure");
  function drawAfresh() {
    const text = make("p", "", words.afresh_sure);
    sure.id = "sure";
    text.id = "sure-text";
    sure.hidden = true;
    sure.setAttribute("role", "group");
    sure.setAttribute("aria-labelledby", text.id);
    sure.append(text, leave, keep);
    afresh.setAttribute("aria-expanded", "false");
    afresh.setAttribute("aria-controls", sure.id);
    byId("ask").after(sure);
    byId("hands").append(" · ", afresh);
  }

  function drawMine(entry) {
    let turn = nodes.get(entry.id);
    if (!turn) {
      turn = make("div", "turn citizen");
      turn.append(make("span", "unseen", words.me), make("div", "bubble", entry.me));
      nodes.set(entry.id, turn);
    }
    const old = turn.querySelector(".problem");
    if (old) old.remove();
    if (entry.state === "failed") {
      const problem = make("div", "problem");
      problem.append(make("span", "", entry.detail || words.failed));
      if (!entry.refused) problem.append(press("", words.retry, { retry: entry.id }));
      turn.append(problem);
    }
    return turn;
  }

  function drawReplies(replies) {
    log.querySelectorAll(".latest").forEach((node) => node.classList.remove("latest"));
    return replies.map((reply) => log.appendChild(drawReply(reply)));
  }

  const typing = make("div", "turn bot typing");
  typing.setAttribute("aria-hidden", "true");
  typing.append(make("div", "bubble"));
  for (let i = 0; i < 3; i += 1) typing.firstChild.append(make("i"));

  const show = (node) => node.scrollIntoView({ block: "start" });

  // Talking to the server

  async function call(path, options) {
    const control = window.AbortController ? new AbortController() : null;
    const timer = control && setTimeout(() => control.abort(), 30000);
    try {
      const response = await fetch(path, Object.assign({ method: "POST", signal: control && control.signal }, options));
      if (response.ok) return await response.json();
      const problem = await response.json().catch(() => ({}));
      throw Object.assign(new Error(), { status: response.status, detail: problem.detail });
    } finally {
      clearTimeout(timer);
    }
  }

  const send = (message) => call("api/chat/messages", {
    headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" },
    body: JSON.stringify(message),
  });

  function forget() {
    token = started = opening = lastEvent = null;
    save("localStorage", "token", null);
    save("localStorage", "started", null);
    save("sessionStorage", "last", null);
  }

  async function begin() {
    if (!token) {
      token = (await call("api/chat/sessions")).token;
      save("localStorage", "token", token);
    }
    if (!started || (unit && started !== opener.id)) {
      // What this returns already stands on the page.
      await send(opener);
      started = opener.id;
      save("localStorage", "started", started);
    }
    if (!listening) listen();
  }

  function open() {
    if (!opening) {
      opening = begin().catch((error) => {
        opening = null;
        if (error.status === 401) forget();
        throw error;
      });
    }
    return opening;
  }

  async function exchange(message) {
    for (let again = true; ; again = false) {
      try {
        await open();
        return await send(message);
      } catch (error) {
        if (error.status !== 401 || !again) throw error;
        forget();
      }
    }
  }

  async function deliver(entry) {
    try {
      const answer = await exchange(Object.assign({ id: entry.id }, entry.send));
      entry.state = "done";
      entries.push({ bot: answer.replies });
      typing.remove();
      drawMine(entry);
      drawReplies(answer.replies);
    } catch (error) {
      entry.state = "failed";
      entry.detail = error.detail && error.status !== 401 ? error.detail : "";
      entry.refused = error.status === 413 || error.status === 422;
      drawMine(entry);
    }
    waiting -= 1;
    if (waiting) log.append(typing); else typing.remove();
    remember();
    show(nodes.get(entry.id));
  }

  function post(entry) {
    entry.state = "waiting";
    entries.push(entry);
    remember();
    log.append(drawMine(entry), typing);
    show(typing);
    waiting += 1;
    queue = queue.then(() => deliver(entry));
  }

  function say(label, message) {
    const random = crypto.getRandomValues(new Uint8Array(12));
    const id = Array.from(random, (byte) => ("0" + byte.toString(16)).slice(-2)).join("");
    post({ me: label, id: id, send: message });
  }

  // What the bot says unasked. Read with fetch, which can carry the token in a header where an EventSource cannot.

  async function listen() {
    if (!window.ReadableStream || !window.TextDecoder) return;
    listening = true;
    for (let pause = 3000; token; pause = Math.min(pause * 2, 60000)) {
      const control = window.AbortController ? new AbortController() : null;
      try {
        const headers = { Authorization: "Bearer " + token };
        if (lastEvent) headers["Last-Event-ID"] = lastEvent;
        const signal = control && control.signal;
        const response = await fetch("api/chat/stream", { headers: headers, cache: "no-store", signal: signal });
        if (response.status === 401) break;
        if (response.ok) {
          pause = 3000;
          tell("up");
          await read(response.body.getReader(), control);
        }
      } catch (e) {
        // The line broke; one that only went quiet is looked at anew before anybody is told.
        if (!control || !control.signal.aborted) tell("down");
      }
      await rest(pause * (0.5 + Math.random() / 2));
    }
    listening = false;
  }

  // Until so many milliseconds are over, the line is back, or somebody looks at the page again.
  function rest(time) {
    return new Promise((go) => {
      const seen = () => { if (!document.hidden) over(); };
      const timer = setTimeout(over, time);
      function over() {
        clearTimeout(timer);
        removeEventListener("online", over);
        document.removeEventListener("visibilitychange", seen);
        go();
      }
      addEventListener("online", over);
      document.addEventListener("visibilitychange", seen);
    });
  }

  async function read(reader, control) {
    const decoder = new TextDecoder();
    let unread = "";
    for (;;) {
      // The server says something every 15 seconds; a phone's network may forget a line without telling anybody.
      const timer = setTimeout(() => { if (control) control.abort(); }, 45000);
      const part = await reader.read();
      clearTimeout(timer);
      if (part.done) return;
      const blocks = (unread + decoder.decode(part.value, { stream: true })).split(/\r?\n\r?\n/);
      unread = blocks.pop();
      blocks.forEach(take);
    }
  }

  function take(block) {
    const event = { id: "", data: "" };
    block.split(/\r?\n/).forEach((line) => {
      const found = /^(id|data): ?(.*)$/.exec(line);
      if (found) event[found[1]] += found[2];
    });
    if (!event.data) return;
    lastEvent = event.id;
    save("sessionStorage", "last", lastEvent);
    if (pushed.includes(event.id)) return;
    pushed.push(event.id);
    const replies = [JSON.parse(event.data)];
    entries.push({ bot: replies });
    remember();
    const [drawn] = drawReplies(replies);
    if (waiting) log.append(typing); else show(drawn);
    tell("news");
  }

  // Hands

  function typed() {
    question.style.height = "auto";
    question.style.height = question.scrollHeight + 2 + "px";
    save("sessionStorage", "draft", question.value || null);
  }

  function submit(event) {
    event.preventDefault();
    const text = question.value.trim();
    // Without a line the text stays where it is: nothing waits in a queue that nobody sees.
    if (text && navigator.onLine === false) return tell("unsent");
    if (text) say(text, { text: text });
    question.value = "";
    typed();
    question.focus();
    tell("sent");
  }

  byId("ask").addEventListener("submit", submit);
  question.addEventListener("input", typed);
  question.addEventListener("keydown", (event) => {
    // While an input method is composing a letter, Enter is its own.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) submit(event);
  });
  log.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const data = button.dataset;
    if (data.retry) {
      const at = entries.findIndex((entry) => entry.id === data.retry);
      if (at >= 0) post(entries.splice(at, 1)[0]);
    } else if (data.payload) {
      say(data.label || button.textContent, { payload: data.payload });
    } else if (data.text) {
      say(data.text, { text: data.text });
    } else {
      return;
    }
    // On a phone this would open the keyboard over the answer.
    if (finePointer) question.focus({ preventScroll: true });
  });
  // Asked on the page: inside another site's page some browsers show no confirm().
  function ask(asking) {
    sure.hidden = !asking;
    afresh.setAttribute("aria-expanded", String(asking));
    (asking ? keep : afresh).focus();
  }

  afresh.addEventListener("click", () => ask(sure.hidden));
  keep.addEventListener("click", () => ask(false));
  leave.addEventListener("click", () => {
    forget();
    save("sessionStorage", "chat", null);
    save("sessionStorage", "draft", null);
    location.reload();
  });

  // A leaflet's code or a shared link (/?c=c_…) opens its pack. The address is cleaned, so that a reload does not ask again.
  function follow() {
    const campaign = asked.get("c");
    if (!campaign || !/^[A-Za-z0-9_-]{1,58}$/.test(campaign)) return;
    history.replaceState(null, "", location.pathname);
    say(words.open_material, { payload: "start:" + campaign });
  }

  drawOpening(JSON.parse(byId("chat").dataset.opening));
  drawAfresh();
  document.querySelectorAll(".needs-script").forEach((node) => { node.hidden = false; });
  const unfinished = [];
  entries.slice().forEach((entry) => {
    if (entry.bot) drawReplies(entry.bot);
    else log.append(drawMine(entry));
    if (entry.state === "waiting") unfinished.push(entry);
  });
  unfinished.forEach((entry) => post(entries.splice(entries.indexOf(entry), 1)[0]));
  question.value = question.value || load("sessionStorage", "draft") || "";
  typed();
  follow();
  if (entries.length && log.lastElementChild) show(log.lastElementChild);
  open().catch(() => { /* tried again with the first question */ });
})();
