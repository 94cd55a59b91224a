/* What stands around the conversation: the state of the line, sharing an answer, the site that shows the page inside its
   own, the app on the home screen. chat.js tells by an event "congdanso" what it learns. */
(function () {
  "use strict";

  const byId = (id) => document.getElementById(id);
  const words = JSON.parse(byId("chat").dataset.words);
  const line = byId("line");
  const question = byId("question");
  let down = false;
  let fading = 0;

  // The line

  function tell(text, brief) {
    clearTimeout(fading);
    line.textContent = text;
    line.classList.toggle("warns", down);
    if (brief) fading = setTimeout(() => { line.textContent = ""; }, 8000);
  }

  function lineIs(up) {
    if (up !== down) return;
    down = !up;
    if (!up) tell(words.line_down);
    else if (question.value.trim()) tell(words.line_up_unsent);
    else tell(words.line_up, true);
  }

  addEventListener("offline", () => lineIs(false));
  addEventListener("online", () => lineIs(true));
  if (navigator.onLine === false) lineIs(false);

  document.addEventListener("congdanso", (event) => {
    const what = event.detail;
    if (what === "up" || what === "down") lineIs(what === "up");
    if (what === "sent" && !down) tell("");
    if (what === "unsent") {
      down = true;
      tell(words.unsent);
    }
    if (what === "news") tellSite("news");
  });

  // An answer to be passed on, with what it is based on

  function answer(turn) {
    const lines = Array.from(turn.querySelectorAll(".bubble p, .source"), (node) => node.textContent);
    return lines.concat(new URL("./", location.href).href).join("\n");
  }

  async function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const box = document.createElement("textarea");
    box.className = "unseen";
    box.value = text;
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    if (!done) throw new Error();
  }

  async function share(button) {
    const text = answer(button.closest(".turn"));
    try {
      if (navigator.share) return await navigator.share({ text: text });
    } catch (error) {
      if (error.name === "AbortError") return;
    }
    try {
      await copy(text);
      tell(words.shared_copied, true);
    } catch (error) {
      tell(words.share_failed, true);
    }
    button.focus();
  }

  byId("log").addEventListener("click", (event) => {
    const button = event.target.closest(".share");
    if (button) share(button);
  });

  // Inside a commune's site. What is told holds no word of the talk, so it may be heard by whoever frames us.

  const framed = parent !== window;
  function tellSite(what) {
    if (framed) parent.postMessage("congdanso:" + what, "*");
  }
  if (framed) {
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) tellSite("close");
    });
    addEventListener("message", (event) => {
      if (event.source !== parent || event.data !== "congdanso:focus") return;
      // On a phone this would open the keyboard over the page.
      if (matchMedia("(hover: hover) and (pointer: fine)").matches) question.focus({ preventScroll: true });
    });
    tellSite("ready");
  } else if (navigator.serviceWorker) {
    addEventListener("load", () => navigator.serviceWorker.register("sw.js").catch(() => { /* works without */ }));
  }
})();
