"""What is said to Zalo and what it says, as values: articles, targets, quotas, an OA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

TITLE: Final = 150
AUTHOR: Final = 50
DESCRIPTION: Final = 300


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture inside an article, by its public address."""

    url: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Article:
    """What a broadcast carries. Zalo hides an article unless it is told to show it.

    Raises:
        ValueError: a field is empty or longer than Zalo takes.
    """

    title: str
    author: str
    description: str
    cover_url: str
    body: tuple[str | Picture, ...]
    comments: bool = False

    def __post_init__(self) -> None:
        for name, text, limit in (
            ("title", self.title, TITLE),
            ("author", self.author, AUTHOR),
            ("description", self.description, DESCRIPTION),
        ):
            if not 0 < len(text) <= limit:
                raise ValueError(f"the {name} of an article has 1 to {limit} characters, not {len(text)}")
        if not self.body:
            raise ValueError("an article needs a text")

    def as_dict(self) -> dict[str, Any]:
        """The body of Zalo's `article/create`."""
        return {
            "type": "normal",
            "title": self.title,
            "author": self.author,
            "cover": {"cover_type": "photo", "photo_url": self.cover_url, "status": "show"},
            "description": self.description,
            "body": [
                {"type": "text", "content": part}
                if isinstance(part, str)
                else {"type": "image", "url": part.url, "caption": part.caption}
                for part in self.body
            ],
            "status": "show",
            "comment": "show" if self.comments else "hide",
        }


@dataclass(frozen=True, slots=True)
class Target:
    """Which followers a broadcast is for; None: all. Written as numbers, as in Zalo's own Java sample.

    Zalo knows no communes: an OA of each commune, or tags and single messages, take their place.
    """

    ages: int | None = None
    gender: int | None = None
    """0 all, 1 men, 2 women."""
    locations: int | None = None
    """0 North, 1 Central, 2 South."""
    cities: int | None = None
    """Codes of the 63 provinces before 2025, e.g. 4 Thành phố Hồ Chí Minh, 9 Hà Nội."""
    platform: int | None = None
    """1 iOS, 2 Android."""

    def as_dict(self) -> dict[str, int]:
        """The `target` of a broadcast."""
        named = {
            "ages": self.ages,
            "gender": self.gender,
            "locations": self.locations,
            "cities": self.cities,
            "platform": self.platform,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class OaProfile:
    """An OA as Zalo knows it."""

    oa_id: str
    name: str
    verified: bool

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> OaProfile:
        """Read Zalo's answer."""
        return cls(str(data.get("oa_id") or ""), str(data.get("name") or ""), data.get("is_verified") is True)


@dataclass(frozen=True, slots=True)
class Left:
    """How much of something is left; None where Zalo does not say."""

    remaining: int | None
    total: int | None


@dataclass(frozen=True, slots=True)
class CitizenQuota:
    """What may still be sent to one citizen."""

    last_interaction: datetime | None
    replies: Left
    broadcasts_today: Left
    broadcasts_this_month: Left

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> CitizenQuota:
        """Read Zalo's answer."""
        replies, promotion = _part(data, "cs_reply"), _part(data, "promotion")
        return cls(
            moment(data.get("last_interaction")),
            Left(number(replies.get("remain")), number(replies.get("total"))),
            Left(number(promotion.get("daily_remain")), number(promotion.get("daily_total"))),
            Left(number(promotion.get("monthly_remain")), number(promotion.get("monthly_total"))),
        )


@dataclass(frozen=True, slots=True)
class OaQuota:
    """A package of messages that an OA has; `kind` is sub_quota, purchase_quota or reward_quota."""

    asset_id: str
    product: str
    kind: str
    valid_through: str
    left: Left

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> OaQuota:
        """Read one entry of Zalo's answer."""
        return cls(
            str(data.get("asset_id") or ""),
            str(data.get("product_type") or ""),
            str(data.get("quota_type") or ""),
            str(data.get("valid_through") or ""),
            Left(number(data.get("remain")), number(data.get("total"))),
        )


@dataclass(frozen=True, slots=True)
class Charge:
    """What one message cost: `kind` is reply, welcome_msg, a package, or "charged", when Zalo names no quota."""

    kind: str
    left: Left
    valid_through: str = ""

    @property
    def free(self) -> bool:
        """Whether it cost nothing."""
        return self.kind in ("reply", "welcome_msg")

    @classmethod
    def read(cls, data: Any) -> Charge:
        """Read the `data` of an answer to a message."""
        quota = _part(data, "quota") if isinstance(data, Mapping) else {}
        kind = str(quota.get("quota_type") or "")[:32] or "charged"
        left = Left(number(quota.get("remain")), number(quota.get("total")))
        return cls(kind, left, str(quota.get("expired_date") or "")[:32])


def number(value: object) -> int | None:
    """Return a whole number that may be written as a text; None for anything else."""
    text = str(value).strip()
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 16 else None


def moment(value: object) -> datetime | None:
    """Return the time that Zalo writes as milliseconds in a text; None for none."""
    milliseconds = number(value)
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds and 0 < milliseconds < 10**14 else None


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, Mapping) else {}
