"""A wish for an injection in plain words, read without tensors: what shall change, or stay.

It names regions and a kind of change, in English or Korean: "hair shape", "hair and skin colour", "eyes and mouth",
"everything but the face", "머리 모양". `wish_regions` finds them in pictures,
`judges` tell how far pictures fulfil it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from ..errors import StyleMixError

KINDS = ("anything", "shape", "colour")
"""What may be looked for in a region."""

REGIONS = ("hair", "face", "eyes", "brows", "nose", "mouth", "background", "body")
"""What `find_regions` finds in a picture of a face."""

WHOLES = {
    "face": ("face", "eyes", "brows", "nose", "mouth"),
    "skin": ("face", "nose"),
    "features": ("eyes", "brows", "nose", "mouth"),
    "identity": ("face", "eyes", "brows", "nose", "mouth"),
}
"""Words for several regions of `find_regions` at once."""

_SYNONYMS = (
    dict.fromkeys(("lips", "lip"), "mouth")
    | dict.fromkeys(("eyebrows", "eyebrow", "brow"), "brows")
    | dict.fromkeys(("clothes", "neck"), "body")
    | {"haircut": "hair", "eye": "eyes"}
)
_KIND_WORDS = dict.fromkeys(("shape", "form"), "shape") | dict.fromkeys(
    ("colour", "colours", "color", "colors"), "colour"
)
_FILLERS = {"the", "only", "and", "of", "a"}
_EVERYTHING = {"everything", "all", "anything", "picture"}
_EXCEPT = {"but", "except", "without", "not"}

_KOREAN = {
    word: meaning
    for meaning, words in {
        "hair": "머리 머리카락 머리칼 헤어 헤어스타일",
        "face": "얼굴",
        "face shape": "얼굴형",
        "eyes": "눈",
        "brows": "눈썹",
        "nose": "코",
        "mouth": "입 입술",
        "skin": "피부",
        "features": "이목구비",
        "identity": "신원 정체성",
        "background": "배경",
        "body": "몸 옷 목",
        "shape": "모양 형태 생김새",
        "colour": "색 색깔 색상",
        "everything": "전부 모두 전체 모든 그림",
        "but": "빼고 뺀 제외하고 제외한 말고",
        "": "만 와 과 하고 랑 이랑 의 을 를 은 는 이 가 도 및 그리고 것",
    }.items()
    for word in words.split()
}
"""Words and particles, which Korean joins to one word."""
_LONGEST_FIRST = sorted(_KOREAN, key=len, reverse=True)
_NEAREST_REGION = {
    word: region
    for region, words in {
        "hair": "bob fringe bangs curls curly waves ponytail braids bun hairstyle hairline hairdo wig bald hat parting "
        "단발 단발머리 앞머리 뒷머리 파마 모자",
        "face": "beard stubble chin jaw cheek cheeks forehead wrinkles freckles makeup head 수염 턱 볼 이마 주름",
        "eyes": "glasses sunglasses lashes eyelashes eyelids pupils iris gaze 안경 속눈썹 눈동자",
        "mouth": "moustache mustache teeth tongue lipstick 콧수염 이빨 립스틱",
        "nose": "nostrils 콧구멍",
        "body": "ears ear shoulders shirt collar dress suit necklace earrings 귀 어깨 셔츠",
        "background": "wall sky scenery backdrop 벽 하늘",
    }.items()
    for word in words.split()
}
"""Words that people look for in vain, and the region where what they mean is."""


@dataclass(frozen=True)
class Wish:
    """Where something shall change, or stay, and what."""

    names: tuple[str, ...]
    """Regions; none for the whole picture."""
    elsewhere: bool = False
    """Everywhere but there."""
    kind: str = "anything"
    """One of `KINDS`."""

    def describe(self, kind: str | None = None) -> str:
        """How it was read: "hair and skin: colour". kind: another than its own."""
        where = " and ".join(self.names) or "everything"
        return f"{'everything but ' if self.elsewhere else ''}{where}: {kind or self.kind}"


def read_wish(text: str) -> Wish:
    """A wish in words. `StyleMixError` when there is no word to go by. Regions may be any words: see `check_wish`.

    >>> read_wish("hair and skin colour")
    Wish(names=('hair', 'skin'), elsewhere=False, kind='colour')
    >>> read_wish("everything but the face")
    Wish(names=('face',), elsewhere=True, kind='anything')
    """
    words = [word for word in _words(text) if word not in _FILLERS]
    kinds = [_KIND_WORDS[word] for word in words if word in _KIND_WORDS]
    names = [
        _SYNONYMS.get(word, word) for word in words if word not in (*_KIND_WORDS, *_EXCEPT, *_EVERYTHING)
    ]
    if not words or len(set(kinds)) > 1 or _is_two_sided(words):
        raise StyleMixError(
            f"the wish {text!r:.80} is not understood; name regions and what of them, for instance 'hair shape', "
            "'hair and skin colour', 'eyes and mouth', 'colours' or 'everything but the face'"
        )
    return Wish(tuple(dict.fromkeys(names)), not _EXCEPT.isdisjoint(words), kinds[0] if kinds else "anything")


def _is_two_sided(words: list[str]) -> bool:
    """Whether regions stand before and behind an "except", which English has before what it means and Korean behind:
    "the hair but not the face" is not everything but both."""
    excepted = [place for place, word in enumerate(words) if word in _EXCEPT]
    regions = [
        place for place, word in enumerate(words) if word not in (*_KIND_WORDS, *_EXCEPT, *_EVERYTHING)
    ]
    return bool(excepted and regions) and regions[0] < excepted[0] and regions[-1] > excepted[-1]


def check_wish(wish: Wish) -> None:
    """`StyleMixError` when a wish names what `find_regions` does not find."""
    for name in wish.names:
        if name not in REGIONS and name not in WHOLES:
            raise unknown_region(name, REGIONS)


def unknown_region(name: str, regions: Iterable[str]) -> StyleMixError:
    """What to raise for a word that is none of the regions there are."""
    choice = list(dict.fromkeys((*regions, *WHOLES)))
    close = get_close_matches(name, (*choice, *_SYNONYMS), 1)
    near = _NEAREST_REGION.get(name) or (_SYNONYMS.get(close[0], close[0]) if close else None)
    return StyleMixError(
        f"there is no region {name!r}; choose among: {', '.join(choice)}. "
        + (
            f"The nearest is {near!r}"
            if near in choice
            else "What is no place in the picture, as pose, a smile or age, has no region: directions (Find "
            "Directions) move it, and explain (Explain Layers) shows which layers change it"
        )
    )


def _words(text: str) -> list[str]:
    """A wish's words, Korean ones in English."""
    words = []
    for word in re.findall(r"[^\W_]+", text.lower()):
        parts = _korean_parts(word)
        words += [word] if parts is None else [meaning for part in parts for meaning in _KOREAN[part].split()]
    return words


def _korean_parts(word: str) -> list[str] | None:
    """The keys of `_KOREAN` that cover the word, the longest first where there are several ways; None if none do."""
    splits: dict[int, list[str]] = {len(word): []}
    for start in reversed(range(len(word))):
        for part in _LONGEST_FIRST:
            if word.startswith(part, start) and start + len(part) in splits:
                splits[start] = [part, *splits[start + len(part)]]
                break
    return splits.get(0)
