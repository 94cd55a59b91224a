"""The words around a place name, and the limits of what is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

DATA: Final = Path(__file__).parent.parent / "data" / "places"

MAX_CHARS: Final = 400

"""A longer text is no place name; it is not read."""

MAX_TOKENS: Final = 60

MAX_TOKENS_MISSPELT: Final = 20

"""In a longer text slips of the key are not looked for."""

MAX_SYLLABLES: Final = 6

"""The longest names ("Văn Miếu - Quốc Tử Giám") have five syllables; one more for slips of the key."""

SHORTEST_JOINED: Final = 4

"""Letters a name written together needs ("nari")."""

LONGEST_JOINED: Final = 40

SHORTEST_MISSPELT: Final = 5

"""Letters a name needs before a wrong accent, two swapped letters, an initial heard alike are forgiven; one more for others."""

Role = Literal["new", "old", "district", "province", "foreign"]

WARD_ROLES: Final = ("new", "old")

ROLES_OF_KIND: Final[Mapping[str, tuple[Role, ...]]] = {
    "xã": ("new", "old"),
    "phường": ("new", "old"),
    "thị trấn": ("old",),
    "đặc khu": ("new", "old"),
    "huyện": ("district",),
    "quận": ("district",),
    "thị xã": ("district",),
    "thành phố": ("district", "province", "foreign"),
    "tỉnh": ("province", "foreign"),
}

LENIENT_KINDS: Final[Mapping[str, tuple[Role, ...]]] = {"thị trấn": ("new",)}

"""Roles tried where the strict ones give nothing: people go on saying "thị trấn Chợ Mới"."""

KIND_WORDS: Final[Mapping[str, str]] = {
    "xã": "xã", "x": "xã", "phường": "phường", "p": "phường", "ph": "phường", "phg": "phường", "f": "phường",
    "thị trấn": "thị trấn", "tt": "thị trấn", "ttr": "thị trấn", "t t": "thị trấn", "đặc khu": "đặc khu",
    "huyện": "huyện", "h": "huyện", "quận": "quận", "q": "quận", "thị xã": "thị xã", "tx": "thị xã", "t x": "thị xã",
    "thành phố": "thành phố", "tp": "thành phố", "t p": "thành phố", "tỉnh": "tỉnh",
}  # fmt: skip

JOINED_KINDS: Final = ("thitran", "thanhpho", "phuong", "dackhu", "huyen", "thixa", "tinh", "quan", "xa")

"""Kind words that people write together with the name ("xavihuong")."""

WHERE: Final = "ở, tại, quê, ngụ, trú, về, từ, đến, tới, sang, lên, xuống, vùng, ubnd, thuộc"

POLITE: Final = "dạ, vâng, ạ, thưa, ờ, à, ừ, là, đây"

FILLERS: Final = (
    "em, tôi, tui, mình, tớ, cháu, con, bác, cô, chú, anh, chị, ông, bà, bọn, chúng, ta, nhà, gia, đình, sống, sinh, "
    "thường, tạm, địa, chỉ, người, dân, hiện, đang, bây, giờ, nay, ủy, uỷ, ban, nhân, hộ, khẩu, gốc, của, bên, trên, "
    "dưới, cũ, mới, trước, khu, vực, bàn, trụ, sở, cư, nơi, bố, mẹ, chồng, vợ, cả, việt, nam, vn, này, đó, kia, thì, "
    "chào, xin"
)

TAIL_WORDS: Final = (
    "ạ, a, nhé, nha, nhá, ơi, cũ, mới, này, đó, kia, đây, trước, nay, em, anh, chị, cô, chú, bác, ad, admin, bot, "
    "việt, nam, vn, thuộc, của, cả, luôn, thôi, đấy, vâng, dạ, bạn, ông, bà, cháu, con, mình, hen, nghe, nhỉ, hả, hồ"
)

CONNECTIVES: Final = (
    "thì, muốn, cần, là, có, phải, được, nộp, làm, đăng, hỏi, xin, bị, đã, sẽ, đang, hiện, giờ, sáp, nhập, đổi, vào, "
    "chưa, để, cho, ra, đi, gì, nào, đâu, sao, mà, và, nhưng, vì, nếu, khi, hay, cảm, bây, sau, thành, tên, ở, tại, quê, "
    "xứ, chỗ, vùng"
)

"""Words after a name that begin the rest of a sentence ("Vi Hương nay là xã nào"); other words spoil the match."""

BELOW_COMMUNE: Final = "thôn, xóm, tổ, bản, khu, số, ngõ, ngách, đường, phố, ấp, khóm, tdp, đội, pác, khuổi, nà, sn"

EVERYDAY: Final = frozenset({"cho moi", "chợ mới", "phu do", "ban dat"})

"""Names that are everyday words too and are missing in the dictionary."""

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "Bắc Kạn": ("Bắc Cạn", "BK", "TPBK"),
    "Thái Nguyên": ("TN", "Bắc Thái", "TPTN"),
    "Nguyễn Thị Minh Khai": ("Minh Khai",),
    "Pác Nặm": ("Pắc Nặm", "Pác Nậm", "Pắc Nậm"),
    "Ba Bể": ("Ba Bễ",),
    "Na Rì": ("Na Rỳ", "Na Dì"),
    "Chợ Đồn": ("Trợ Đồn",),
    "Chợ Mới": ("Trợ Mới",),
    "Phổ Yên": ("Phố Yên",),
    "Hồ Chí Minh": ("Sài Gòn", "HCM", "SG"),
    "Hà Nội": ("HN", "Hà Tây"),
    "Đắk Lắk": ("Đắc Lắc", "Daklak"),
    "Đắk Nông": ("Đắc Nông",),
    "Huế": ("Thừa Thiên Huế",),
    "Bà Rịa - Vũng Tàu": ("Vũng Tàu", "Bà Rịa"),
}

"""Other names: older and other spellings, abbreviations, provinces given up before 2025, a ward's short name."""

TONES: Final = frozenset("\u0300\u0301\u0303\u0309\u0323")

HEARD_ALIKE: Final = (("tr", "ch"), ("x", "s"), ("gi", "d"), ("r", "d"), ("l", "n"))

"""Initials that the region does not tell apart in speaking, and often not in writing."""

HOI_NGA: Final = frozenset("\u0303\u0309")

LETTERS: Final[Mapping[tuple[str, str], str]] = {
    ("a", "\u0302"): "â", ("e", "\u0302"): "ê", ("o", "\u0302"): "ô",
    ("a", "\u0306"): "ă", ("o", "\u031b"): "ơ", ("u", "\u031b"): "ư",
}  # fmt: skip

BARE: Final = str.maketrans("âêôăơưđ", "aeoaoud")

HARD: Final = frozenset(',;\n\r\t()[]{}/|:!?<>"')

SILENT: Final = frozenset("'’‘`´ʼ")
