"""A browser of text alone, as lynx is one: reads HTML, keeps cookies, fills in forms, presses buttons, runs no script."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx

VOID = frozenset({"input", "img", "meta", "link", "br"})


@dataclass
class Form:
    """One form: its fields, and its buttons by what stands on them."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """What such a browser makes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.ids: dict[str, dict[str, str]] = {}
        self.labels: set[str] = set()
        self.words: list[str] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self._said = ""
        self._form: Form | None = None
        self.feed(html)
        assert self._open == [], f"never closed: {self._open}"

    @property
    def text(self) -> str:
        return "\n".join(self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            assert given["id"] not in self.ids, f"twice: {given['id']}"
            self.ids[given["id"]] = given
        if tag == "form":
            assert self._form is None, "a form inside a form"
            self._form = Form(given["method"], given["action"])
            self.forms.append(self._form)
        elif tag == "input" and self._form is not None:
            self._form.fields[given["name"]] = given.get("value", "")
            self._form.types[given["name"]] = given["type"]
        elif tag == "label":
            self.labels.add(given["for"])
        if tag in ("button", "a"):
            self._said = ""
        if tag not in VOID:
            self._open.append((tag, given))

    def handle_endtag(self, tag: str) -> None:
        opened, given = self._open.pop()
        assert opened == tag, f"<{opened}> closed by </{tag}>"
        if tag == "form":
            self._form = None
        elif tag == "button":
            assert self._form is not None, f"a button that does nothing: {self._said}"
            self._form.buttons[" ".join(self._said.split())] = (given.get("name", ""), given.get("value", ""))
        elif tag == "a":
            self.links[" ".join(self._said.split())] = given["href"]

    def handle_data(self, data: str) -> None:
        if any(tag in ("title", "script", "style") for tag, _ in self._open):
            return
        self._said += data
        if data.strip():
            self.words.append(" ".join(data.split()))


class TextBrowser:
    """Somebody with such a browser."""

    def __init__(self, app: Any, **options: Any) -> None:
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://web.test", follow_redirects=True, timeout=30, **options
        )
        self.response: httpx.Response
        self.page = Page("")

    async def __aenter__(self) -> TextBrowser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def opens(self, address: str) -> Page:
        return self._shown(await self.http.get(urljoin(self._here(), address)))

    async def follows(self, words: str) -> Page:
        return await self.opens(self.page.links[words])

    async def types(self, text: str) -> Page:
        """Fill in the only field there is to fill in, and send."""
        form = next(form for form in self.page.forms if "text" in form.types.values())
        [name] = [name for name, kind in form.types.items() if kind == "text"]
        return await self.sends(form, {**form.fields, name: text})

    async def presses(self, label: str) -> Page:
        form = next(form for form in self.page.forms if label in form.buttons)
        name, value = form.buttons[label]
        return await self.sends(form, {**form.fields, name: value})

    async def sends(self, form: Form, fields: dict[str, str], headers: dict[str, str] | None = None) -> Page:
        assert form.method == "post"
        return self._shown(await self.http.post(urljoin(self._here(), form.action), data=fields, headers=headers))

    def _here(self) -> str:
        return str(self.response.url) if hasattr(self, "response") else "/"

    def _shown(self, response: httpx.Response) -> Page:
        self.response = response
        self.page = Page(response.text)
        return self.page
