"""Words that ask for an aspect whatever the topic is: "mấy ngày", "ở đâu", "điều kiện". They are hints for the aspect classifier,
which learns how far each can be trusted; a few hundred labelled questions are too few to meet every one of them.

All patterns are for text without marks, abbreviations written out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

_COUNT: Final = r"(?:may|bao nhieu|nhieu)"
_SPAN: Final = r"(?:ngay|hom|bua|tuan|thang|nam|tieng|gio|lau)"
_MONEY: Final = r"(?:tien|dong|nghin|ngan|tram|trieu|ti|ty|phan tram|xu|k)"
_WANT: Final = r"(?:can|phai|mang|cam|dem|nop|co|kem|them|gom|chuan bi)"
_WORDS: Final[dict[str, str]] = {
    "le-phi": rf"le phi|\bphi\b|ton kem|mat tien|gia ca|mien phi|re hon|{_COUNT} {_MONEY}\b|het {_COUNT}\b|gia {_COUNT}"
    rf"|(?:dong|nop|tra|(?<!doanh )thu|mat|ton|giam con) {_COUNT}(?! {_SPAN})|{_COUNT} (?:mot|1) (?:ban|to|lan|nguoi|thang|nam|trang)"
    r"|tien nong|bot tien|do tien|muc (?:dong|thu|phat)",
    "thoi-gian": rf"bao lau|{_COUNT} {_SPAN}\b|khi nao|bao gio|lau khong|co lau|mat lau|cho lau|nhanh khong|nhanh nhat|thoi gian"
    r"|thoi han|\bhan (?:nop|la|chot|cuoi|cua)|cham nhat|muon nhat|qua han|tre han|kip khong|con kip|trong ngay|lay (?:luon|ngay)"
    r"|(?:thang|ngay|nam|hom|luc|dot) (?:may|nao)\b",
    "noi-nop": r"o dau|cho nao|noi nao|(?:den|ra|ve|toi|len|di|vao) dau\b|dia chi|(?:co quan|xa|phuong|bo phan|cap|phong|quay|don vi) nao"
    r"|(?:nop|gui|bao|hoi|gap|lien he|khai|trinh)(?: don| giay| ho so)?(?: cho| voi| bao)? ai\b"
    r"|(?:o|ra|len|den|tai) (?:xa|phuong|tinh|cong an|uy ban|thon|truong|que|day)\b.* hay\b|nop dau",
    "giay-to": rf"giay (?:to|gi|nao|ma|chi)\b|ho so (?:gom|can|the nao|gi|nhung|ra sao)|{_WANT} (?:theo )?(?:cai |nhung )?gi\b"
    r"|mang theo|chuan bi|thanh phan ho so|ban (?:goc|photo|pho to)|gom (?:nhung|cac)|bo ho so|thay (?:bang|cho) giay",
    "cach-lam": r"lam (?:the nao|sao|kieu gi|cach nao|ra sao|nhu the nao)|cach (?:lam|nop|dang ky|khai|thuc hien)|cac buoc|buoc nao"
    r"|trinh tu|huong dan|kieu (?:gi|nao)|(?:bang )?cach nao|thao tac|bam (?:vao |o )?(?:dau|nut|muc|tiep)|vao (?:muc|app|dau)|quy trinh"
    r"|thu tuc (?:the nao|ra sao|nhu the nao)|lam gi (?:tiep|nua)|chi (?:giup )?(?:cho )?(?:em |toi |minh |cach )",
    "doi-tuong": rf"{_COUNT}\b(?: \w+){{0,3}} (?:thi|moi|la)\b(?: \w+){{0,3}} (?:phai|duoc|bi|moi|thuoc|la)\b|tu muc nao|tu {_COUNT}\b|dieu kien|doi tuong|\bai (?:duoc|phai|co|thi|bi|moi)\b|nhung ai|cho ai\b|{_COUNT} tuoi|du tuoi|thuoc dien|bat buoc"
    r"|truong hop nao|toi thieu|it nhat|co phai\b.+ khong|(?:co )?duoc\b.* (?:khong|chua)$|co duoc\b.+ khong|\bduoc (?:khong|chua)\b"
    rf"|{_COUNT} (?:lan|nguoi|co dong|thanh vien)\b|phai dang ky khong|co can xin phep|co can\b.+ khong$",
    "can-cu": r"\bluat\b|nghi dinh|thong tu|nghi quyet|quy dinh (?:nao|o dau|tai|so|cua|gi)|dieu (?:nao|may)\b|van ban|can cu"
    r"|phap ly|phap luat|quyet dinh (?:nao|so)|cong van",
    "bieu-mau": r"\bmau\b|to khai|bieu mau|ban khai|\bdon (?:xin|de nghi|viet|mau|nao|gi)|ct ?0\d|tk ?\d",
    "ket-qua": r"ket qua|nhan (?:duoc )?(?:cai |nhung )?gi\b|duoc (?:cap|phat|huong|nhan|loi|cam)(?: cai| nhung| ve)* gi\b|duoc gi\b|hieu luc"
    rf"|co gia tri|muc huong|quyen loi|duoc (?:tra |huong |linh |nhan )?{_COUNT}(?: {_MONEY})?\b|{_COUNT} ban\b|phat cho|huong nhung gi",
    "tong-quan": r"\bla (?:gi|sao|the nao)\b|nghia la|the nao (?:la|goi la|duoc goi)|gioi thieu|tim hieu|tong quan|noi ro hon|thong tin ve",
}
# A space in front, rather than a word's edge, lets the search leap from word to word: twice as quick.
_CUES: Final = {aspect: re.compile(rf" (?:{words})") for aspect, words in _WORDS.items()}


def cues(bare: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield (aspect, place) for each way in which the syllables, without marks, ask for an aspect; a place is a syllable."""
    text = " " + " ".join(bare)
    for aspect, pattern in _CUES.items():
        for match in pattern.finditer(text):
            yield aspect, text.count(" ", 0, match.start())
