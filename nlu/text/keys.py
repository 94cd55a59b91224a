"""Undo what an input method left behind: Telex ("ddawng kys") and VNI ("d9a8ng ky1").

A token is rewritten only if it is no syllable itself and the result is one, so that English and plain unaccented words stay.
"""

from __future__ import annotations

from functools import lru_cache

from nlu.text.syllable import apply_tone_key, is_bare_syllable, is_syllable

_TONE_KEYS = "sfrxj"
_VNI_TONES = {"1": "s", "2": "f", "3": "r", "4": "x", "5": "j"}
_VNI_MARKS = {"6": {"a": "â", "e": "ê", "o": "ô"}, "7": {"o": "ơ", "u": "ư"}, "8": {"a": "ă"}}
_DOUBLED = {"a": "â", "e": "ê", "o": "ô"}
_WITH_W = {"a": "ă", "o": "ơ", "u": "ư"}
ENGLISH = frozenset(
    """pass add tax max app web wifi fax box fix mix text test post css card user number order error server first
    facebook fb zalo google chrome android ios iphone samsung oppo email mail gmail http https www ok okay oke file word excel
    scan upload download online offline link code qr pin otp sim sms nfc usb pdf jpg png visa master atm internet wow
    js sos tax taxi bus car fast sale sales news free password passcode login logout reset form""".split()
)


@lru_cache(maxsize=20_000)
def decode_telex(token: str) -> str | None:
    """Return the syllable that a lower-case token spells in Telex, or None where it spells none."""
    if len(token) < 2 or len(token) > 11 or token in ENGLISH or not token.isalpha():
        return None
    if (is_syllable(token) or is_bare_syllable(token)) and not _is_ong(token):
        return None
    for body, tone in _tone_readings(token):
        letters = _telex_letters(body)
        if letters is None or letters == token:
            continue
        result = apply_tone_key(letters, tone) if tone else letters
        if is_syllable(result, tone_may_be_missing=False):
            return result
    return None


def _tone_readings(token: str) -> list[tuple[str, str]]:
    """All ways to take one tone key out of the token, the last key first, then none."""
    readings = [
        (token[:i] + token[i + 1 :], char)
        for i, char in reversed(list(enumerate(token)))
        if char in _TONE_KEYS and i > 0
    ]
    return [*readings, (token, "")]


def _telex_letters(body: str) -> str | None:
    """Apply the letter keys (aa, aw, dd, w …) from left to right; a key may come later than its letter ("cana" → cân)."""
    out: list[str] = []
    for char in body:
        if char == "d" and "d" in out[:1] and len(out) >= 1:
            out[0] = "đ"
        elif char in _DOUBLED and char in out and _key_near(out, char):
            at = len(out) - 1 - out[::-1].index(char)
            out[at] = _DOUBLED[char]
        elif char == "w":
            targets = [i for i, c in enumerate(out) if c in _WITH_W]
            if not targets:
                out.append("ư")
                continue
            if len(targets) >= 2 and out[targets[-2]] == "u" and out[targets[-1]] == "o":
                out[targets[-2]], out[targets[-1]] = "ư", "ơ"
            elif len(targets) >= 2 and out[targets[-2]] == "u" and out[targets[-1]] == "a":
                out[targets[-2]] = "ư"
            else:
                out[targets[-1]] = _WITH_W[out[targets[-1]]]
        else:
            out.append(char)
    return "".join(out)


def _key_near(out: list[str], char: str) -> bool:
    """A doubling key stands right behind its vowel, or behind the final consonants or the glide after it ("giaya" → giây)."""
    at = len(out) - 1 - out[::-1].index(char)
    between = out[at + 1 :]
    return all(c not in "aeiouyăâêôơư" for c in between) or between in (["y"], ["i"], ["u"])


def _is_ong(token: str) -> bool:
    """The rhyme "oong" lives in a few loan words (xoong, boong); elsewhere its two letters are the keys of "ông"."""
    return "oong" in token and not token.startswith(("xoong", "boong"))


@lru_cache(maxsize=20_000)
def decode_vni(token: str) -> str | None:
    """Return the syllable that a lower-case token with digits spells in VNI, or None."""
    if len(token) < 3 or not any(c.isdigit() for c in token) or not token[0].isalpha():
        return None
    if not token.isascii() or len(token) > 11:
        return None
    out: list[str] = []
    tone = ""
    for char in token:
        if char in _VNI_TONES:
            if tone:
                return None
            tone = _VNI_TONES[char]
        elif char == "9":
            if "d" not in out:
                return None
            out[out.index("d")] = "đ"
        elif char in _VNI_MARKS:
            targets = [i for i, c in enumerate(out) if c in _VNI_MARKS[char]]
            if not targets:
                return None
            at = targets[-1]
            if char == "7" and len(targets) >= 2 and out[targets[-2]] == "u":
                out[targets[-2]] = "ư"
            out[at] = _VNI_MARKS[char][out[at]]
        elif char.isdigit():
            return None
        else:
            out.append(char)
    letters = "".join(out)
    result = apply_tone_key(letters, tone) if tone else letters
    # One letter needs a letter key and a tone key ("o73" → ở): "a1" and "b2" are classes of driving licences.
    told = len(letters) >= 2 or (bool(tone) and not letters.isascii())
    return result if told and is_syllable(result) else None
