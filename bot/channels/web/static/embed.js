/* Shows the chat on a commune's site:
     <script src="https://…/embed.js" data-unit="phu-thong" defer></script>
   A button at the edge of the page; pressed, a panel with the chat in a frame of its own origin, so that neither reads the
   other. Nothing is loaded before the first press, no cookie is set, and the site's own styles stay out. */
(function () {
  "use strict";

  const words = "__WORDS__";
  const TAG = "congdanso-chat";
  const script = document.currentScript || document.querySelector("script[data-unit][src*='/embed.js']");
  if (!script || document.querySelector(TAG)) return;

  const home = new URL("./", script.src);
  const unit = /^[a-z0-9-]{1,48}$/.test(script.dataset.unit || "") ? "?u=" + script.dataset.unit : "";
  const side = script.dataset.side === "left" ? "left" : "right";
  const PATIENCE = 10000; // milliseconds until the panel says that the frame did not come

  const styles = `
    :host { all: initial; color-scheme: light dark; }
    * { box-sizing: border-box; font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif; }
    [hidden] { display: none !important; }
    button { cursor: pointer; }
    :focus-visible { outline: 3px solid #f2b705; outline-offset: 2px; }
    .launcher {
      position: fixed; z-index: 2147483000; ${side}: 16px; bottom: calc(16px + env(safe-area-inset-bottom, 0px));
      display: inline-flex; align-items: center; gap: 10px; min-height: 56px; max-width: calc(100vw - 32px); padding: 8px 20px;
      border: 2px solid #fff; border-radius: 28px; background: #0b5a50; color: #fff; text-decoration: none;
      font-size: 17px; font-weight: 600; line-height: 1.3; box-shadow: 0 2px 10px rgba(0, 0, 0, .3);
    }
    .launcher svg { flex: none; width: 28px; height: 28px; }
    .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
    .news { padding: 2px 8px; border-radius: 10px; background: #fff; color: #8c2f1b; font-size: 14px; }
    dialog {
      position: fixed; z-index: 2147483001; inset: auto; ${side}: 16px; bottom: 16px; margin: 0; padding: 0; overflow: hidden;
      width: 400px; height: min(640px, calc(100vh - 32px)); max-width: none; max-height: none;
      border: 1px solid #0b5a50; border-radius: 12px; background: #fff; color: #1a2321; box-shadow: 0 6px 30px rgba(0, 0, 0, .35);
    }
    dialog[open] { display: flex; flex-direction: column; }
    dialog::backdrop { background: none; }
    .bar { display: flex; align-items: center; padding-left: 16px; background: #0b5a50; color: #fff; }
    .bar p { flex: 1; margin: 0; font-size: 16px; font-weight: 700; line-height: 1.3; }
    .bar button { width: 48px; height: 48px; border: 0; background: none; color: #fff; }
    .bar svg { display: block; width: 20px; height: 20px; margin: auto; }
    iframe { flex: 1; width: 100%; border: 0; }
    .blocked { margin: 0; padding: 16px; font-size: 17px; line-height: 1.45; }
    .blocked a { display: inline-block; padding: 10px 0; color: inherit; }
    @media (max-width: 599px), (max-height: 479px) {
      dialog { inset: 0; width: 100%; height: 100%; border: 0; border-radius: 0; }
    }
    @media (prefers-color-scheme: dark) { dialog { border-color: #86d3c4; background: #121716; color: #e9efed; } }
    @media (prefers-reduced-motion: no-preference) {
      dialog[open] { animation: rise .18s ease-out; }
      @keyframes rise { from { opacity: 0; transform: translateY(12px); } }
    }
    @media print { .launcher, dialog { display: none !important; } }`;

  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    Object.keys(attributes).forEach((name) => node.setAttribute(name, attributes[name]));
    node.append(...children);
    return node;
  }

  function drawing(box, stroke, ...paths) {
    const SVG = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", box);
    svg.setAttribute("aria-hidden", "true");
    paths.forEach(([d, filled]) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", d);
      path.setAttribute("fill", filled ? "#fff" : "none");
      if (!filled) path.setAttribute("stroke", stroke);
      path.setAttribute("stroke-width", "3.4");
      path.setAttribute("stroke-linecap", "round");
      path.setAttribute("stroke-linejoin", "round");
      svg.append(path);
    });
    return svg;
  }

  const host = document.createElement(TAG);
  // A browser too old for a panel gets a link to the page itself.
  const able = window.HTMLDialogElement && host.attachShadow;
  const root = host.attachShadow ? host.attachShadow({ mode: "open" }) : host;
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    root.adoptedStyleSheets = [sheet];
  } catch (e) {
    root.append(make("style", {}, styles));
  }
  document.body.append(host);

  const mark = drawing("0 0 40 40", "#0b5a50",
    ["M7 4h26a4 4 0 0 1 4 4v18a4 4 0 0 1-4 4H18l-8 7v-7H7a4 4 0 0 1-4-4V8a4 4 0 0 1 4-4z", true],
    ["M12.5 17.5l5.2 5.2L28 12", false]);
  const elsewhere = { href: home.href + unit, target: "_blank", rel: "noopener", lang: "vi" };
  if (!able) {
    root.append(make("a", Object.assign({ class: "launcher" }, elsewhere), mark, words.open));
    return;
  }

  const news = make("span", { class: "news" }, words.news);
  const launcher = make("button", { class: "launcher", type: "button", lang: "vi", "aria-haspopup": "dialog" }, mark, words.open, news);
  const close = make("button", { type: "button", "aria-label": words.close }, drawing("0 0 20 20", "#fff", ["M3 3l14 14M17 3L3 17", false]));
  const blocked = make("p", { class: "blocked", role: "alert" });
  const dialog = make("dialog", { "aria-label": words.title, lang: "vi" }, make("div", { class: "bar" }, make("p", {}, words.title), close), blocked);
  const told = make("p", { class: "unseen", role: "status", lang: "vi" });
  let frame = null;
  let ready = false;
  news.hidden = blocked.hidden = true;
  root.append(launcher, dialog, told);

  function load() {
    const allow = navigator.share ? "clipboard-write; web-share" : "clipboard-write";
    frame = make("iframe", { src: home.href + "embed" + unit, title: words.title, allow: allow, referrerpolicy: "origin" });
    dialog.append(frame);
    setTimeout(() => {
      if (ready) return;
      // The site is not on the list, or the line is gone: say so, and offer the page itself.
      blocked.replaceChildren(words.blocked, make("br", {}), make("a", elsewhere, words.elsewhere));
      blocked.hidden = false;
      frame.hidden = true;
    }, PATIENCE);
  }

  function begin() {
    // The page inside takes the focus where somebody has a keyboard; it knows best.
    if (ready && dialog.open && root.activeElement === close) {
      frame.focus();
      frame.contentWindow.postMessage("congdanso:focus", home.origin);
    }
  }

  function open() {
    // Where the panel fills the screen, what lies behind it cannot be reached; beside a page both can be used.
    if (matchMedia("(max-width: 599px), (max-height: 479px)").matches) dialog.showModal(); else dialog.show();
    launcher.hidden = true;
    news.hidden = true;
    told.textContent = "";
    close.focus();
    if (!frame) load();
    begin();
  }

  dialog.addEventListener("close", () => {
    launcher.hidden = false;
    launcher.focus();
  });
  launcher.addEventListener("click", open);
  close.addEventListener("click", () => dialog.close());
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && dialog.open && !event.defaultPrevented) dialog.close();
  });
  addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow || event.origin !== home.origin) return;
    if (event.data === "congdanso:ready") {
      ready = true;
      frame.hidden = false;
      blocked.hidden = true;
      begin();
    } else if (event.data === "congdanso:close" && dialog.open) {
      dialog.close();
    } else if (event.data === "congdanso:news" && !dialog.open) {
      news.hidden = false;
      told.textContent = words.open + ": " + words.news;
    }
  });
})();
