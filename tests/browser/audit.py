"""What a page must hold for whoever cannot see it well, hold a mouse or read small letters, computed in the browser.

No list of rules is downloaded: these are the ones of WCAG 2.2 that a page of ours could break.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Frame, Page

MISTAKES = """() => {
  const shown = (node) => node.getClientRects().length > 0 && getComputedStyle(node).visibility !== 'hidden';
  const all = (what) => [...document.querySelectorAll(what)];
  const tell = (rule, nodes) => nodes.map((node) => rule + ': ' + node.outerHTML.slice(0, 120));
  const text = (ids) => ids.split(' ').map((id) => document.getElementById(id)).map((n) => n ? n.textContent : '').join(' ');
  const name = (node) => (
    node.getAttribute('aria-label')
    || (node.getAttribute('aria-labelledby') && text(node.getAttribute('aria-labelledby')))
    || (node.labels && [...node.labels].map((label) => label.textContent).join(' '))
    || node.textContent || ''
  ).trim();
  const ids = all('[id]').map((node) => node.id);
  const refers = ['aria-labelledby', 'aria-describedby', 'aria-controls'];
  const levels = all('h1, h2, h3, h4').map((node) => Number(node.tagName[1]));
  return [
    ...tell('no name', all('button, a[href], input:not([type=hidden]), textarea, [role=group], [role=log], dialog, iframe')
      .filter((node) => shown(node) && !name(node) && !node.title)),
    ...tell('no alternative', all('img:not([alt])')),
    ...tell('twice the same id', all('[id]').filter((node) => ids.filter((id) => id === node.id).length > 1)),
    ...tell('refers to nothing', all(refers.map((one) => `[${one}]`).join(','))
      .filter((node) => refers.some((one) => (node.getAttribute(one) || '').split(' ').some((id) => id && !ids.includes(id))))),
    ...tell('out of order', all('[tabindex]').filter((node) => node.tabIndex > 0)),
    ...tell('hidden but reachable', all('[aria-hidden=true] button, [aria-hidden=true] a[href], [aria-hidden=true] input')),
    ...tell('a link in a button', all('button a, a button, button button')),
    ...(document.documentElement.lang === 'vi' ? [] : ['no language']),
    ...(document.title.trim() ? [] : ['no title']),
    ...(all('main').length === 1 && levels.filter((one) => one === 1).length === 1 ? [] : ['not one main and one h1']),
    ...(levels.every((one, i) => one === 1 || one <= Math.max(...levels.slice(0, i)) + 1) ? [] : ['a level of headings is left out']),
  ];
}"""

SMALL = """() => [...document.querySelectorAll('button, a.step, .files a, .foot a, .note a, input:not([type=hidden]), textarea')]
  .filter((node) => {
    const box = node.getBoundingClientRect();
    return box.width && (box.height < 44 || box.width < 44);
  }).map((node) => node.outerHTML)"""

OUTSIDE = """() => [...document.querySelectorAll('main *, header *')].filter((node) => {
    const box = node.getBoundingClientRect();
    return box.width > 1 && (box.left < 0 || box.right > innerWidth);
  }).map((node) => node.outerHTML.slice(0, 120))"""

CONTRASTS = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map((c) => c / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
  };
  const ratio = (one, other) => {
    const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const seen = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.offsetWidth) continue;
    seen[node.className + node.tagName] = ratio(getComputedStyle(node).color, ground(node));
  }
  const box = document.getElementById('question');
  if (box) {
    // The edge of the box and the words that stand in it before somebody types.
    seen.edge = ratio(getComputedStyle(box).borderTopColor, ground(box.parentElement)) * 4.5 / 3;
    seen.placeholder = ratio(getComputedStyle(box, '::placeholder').color, ground(box));
  }
  return seen;
}"""


def mistakes(page: Page | Frame) -> list[str]:
    """Names, references, headings, landmarks, order."""
    found: list[str] = page.evaluate(MISTAKES)
    return found


def too_small(page: Page | Frame) -> list[str]:
    """What a thumb would miss: less than 44 pixels either way."""
    found: list[str] = page.evaluate(SMALL)
    return found


def outside(page: Page | Frame) -> list[str]:
    """What sticks out of the window to the side."""
    found: list[str] = page.evaluate(OUTSIDE)
    return found


def contrasts(page: Page | Frame) -> dict[str, float]:
    """The contrast of all letters with their ground, by kind; 4.5 is enough."""
    found: dict[str, float] = page.evaluate(CONTRASTS)
    return found


def tabbed(page: Page, most: int = 40) -> list[dict[str, Any]]:
    """Where the Tab key leads, from the top of the page: what is there, and whether one sees it."""
    page.evaluate("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    stops: list[dict[str, Any]] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
                const node = document.activeElement;
                if (node === document.body) return null;
                const style = getComputedStyle(node), box = node.getBoundingClientRect();
                const all = [...document.querySelectorAll('*')];
                return {
                    what: node.textContent.trim() || node.id, place: all.indexOf(node),
                    outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
                    inView: box.bottom > 0 && box.top < innerHeight,
                };
            }"""
        )
        if stop is None or (stops and stop["place"] == stops[0]["place"]):
            return stops
        stops.append(stop)
    raise AssertionError("the Tab key never comes to an end")
