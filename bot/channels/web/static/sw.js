/* Keeps the notice that is shown when there is no line, and the files it needs. It keeps no message and sends none:
   what could not be sent stays in the page's own box, where the citizen sees it. */
"use strict";

const CACHE = "__CACHE__";
const KEPT = "__KEPT__";
const OFFLINE = "__OFFLINE__";
const home = new URL("./", self.location.href).pathname;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(KEPT)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("congdanso-") && name !== CACHE;
  event.waitUntil(
    caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(() => self.clients.claim())
  );
});

self.addEventListener("fetch", (event) => {
  const request = event.request;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  const page = url.pathname === home || url.pathname === home + "chat";
  if (request.mode === "navigate" && page) {
    event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  } else if (url.pathname.startsWith(home + "static/web/")) {
    event.respondWith(caches.match(request).then((kept) => kept || fetch(request)));
  }
});
