"""What written rules make of a request: which features and texts it names, and what it wants done.

English words only. A rule that does not fit says nothing: what no rule reads is told to the researcher
rather than guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from glossator.agents.orchestrator.named_in_text import named_features, numbers_of_list


class Wish(StrEnum):
    """Something that a request wants, with the words that say so."""

    COMPARE = "compare"
    NEIGHBOURS = "neighbours"
    TOGETHER = "together"
    EFFECTS = "effects"
    STEER = "steer"
    ABLATE = "ablate"
    WINDOWS = "windows"
    WEAK = "weak"
    TOKEN = "token"
    PROBE = "probe"
    DISCOVER = "discover"
    LABEL = "label"
    RECALL = "recall"
    REFUTE = "refute"
    INVESTIGATE = "investigate"
    OFTEN = "often"
    STRONG = "strong"
    ACCEPTED = "accepted"
    FIRE = "fire"
    MEANING = "meaning"


_WORDS: dict[Wish, str] = {
    Wish.COMPARE: r"compar\w*|in common|common (?:to|between)|differ\w*|versus|vs\.?|distinguish\w*"
    r"|share[sd]?|overlap\w*|tell\b.*\bapart|same (?:thing|meaning|concept)|redundant|duplicates?",
    Wish.NEIGHBOURS: r"neighbou?rs?|similar|nearest|closest|resembl\w*|close to|like feature|siblings?"
    r"|same direction|related features",
    Wish.TOGETHER: r"together|co-?activ\w*|co-?occur\w*|coincid\w*|fires? along|same tokens?|at the same time"
    r"|at once|company|what else|alongside",
    Wish.EFFECTS: r"logits?|promot\w*|output tokens?|next[- ]tokens?|unembed\w*|vote[sd]? for|pushe?s?"
    r"|more likely|less likely|predict\w* next",
    Wish.STEER: r"steer\w*|turn\w*\b[^.?!]{0,30}\bup|turn\w* (?:up|down)"
    r"|turn\w*\b[^.?!]{0,30}\bdown|amplif\w*|boost\w*|crank\w*|clamp\w*"
    r"|strengthen\w*|what it writes|what (?:the model|it) (?:writes|says)|generat\w+|increas\w*"
    r"|dial\w*|inject\w*|write about",
    Wish.ABLATE: r"ablat\w*|knock\w*\b[^.?!]{0,20}\bout|turn\w*\b[^.?!]{0,30}\boff|remov\w*"
    r"|delet\w*|without (?:it|them|feature)|zero(?:ed|ing)?(?: out)?|switch\w*\b[^.?!]{0,30}\boff|necessary"
    r"|take\w*\b[^.?!]{0,20}\baway",
    Wish.WINDOWS: r"examples?|windows?|contexts?|passages?|places|where (?:does|do|it|they)"
    r"|show me (?:text|where|some)|sentences?|quantiles?|snippets?",
    Wish.WEAK: r"weak\w*|low quantile|faint\w*|barely|borderline",
    Wish.TOKEN: r"tokens?|word|punctuation|character",
    Wish.PROBE: r"prob(?:e|es|ing)|linear direction|linear(?:ly)? classif\w*"
    r"|linear(?:ly)? (?:readable|decodable)|classifier",
    Wish.DISCOVER: r"discover\w*|separat\w*|concept",
    Wish.LABEL: r"label(?: all| the)? (?:features?|\d)|label (?:them|it|these|those)|give labels|relabel\w*",
    Wish.RECALL: r"know about|learn(?:t|ed)?|found out|find out so far|so far|findings?|remember\w*|recall\w*"
    r"|previous\w*|earlier|already|last time|in memory|on file|before",
    Wish.REFUTE: r"refut\w*|falsif\w*|disprov\w*|counter-?examples?|prove\b[^.?!]{0,30}\bwrong"
    r"|speaks? against|break\b[^.?!]{0,30}\b(?:claim|label|explanation)|false alarms?",
    Wish.INVESTIGATE: r"investigate|investigating",
    Wish.OFTEN: r"most often|densest|most frequent\w*|most active|fires? most|dead features?|always on",
    Wish.STRONG: r"strongest features?|largest activations?|strongest firing features?",
    Wish.ACCEPTED: r"accepted|best labels?|well explained|trust\w*|reliabl\w*|labelled features|labels exist",
    Wish.FIRE: r"fires?|firing|activat\w*|responds?|responding|lights? up|detects?",
    Wish.MEANING: r"means?|meaning|what is|fires? on|about|represents?|explain\w*|describe\w*|tell me"
    r"|card|how sure|statistics",
}
_PATTERNS = {wish: re.compile(rf"\b(?:{words})(?!\w)", re.IGNORECASE) for wish, words in _WORDS.items()}
_QUOTED = re.compile(r"[\"“”]([^\"“”]+)[\"“”]|(?<!\w)['‘’]([^'‘’]+)['‘’](?!\w)|`([^`]+)`")
_EVIDENCE = re.compile(r"\be-[0-9a-f]{4,12}\b")
_BARE = re.compile(
    r"(?<![\w.#])\d+(?:\s*(?:,|and|or|to|vs\.?|with)\s*(?:and\s+)?\d+)*(?![\w.]*[\w%])"
    r"(?!\s*(?:%|examples?|windows?|tokens?|texts?|times|most|nearest|features?|more))",
    re.IGNORECASE,
)
_OF_FEATURES = re.compile(
    r"\b(?:features?|latents?|neurons?|dictionary|directions?|fires?|firing|activat\w*|activ(?:e|ity)"
    r"|units?|respond\w*|lights? up)\b",
    re.IGNORECASE,
)
_BACK = re.compile(
    r"\b(?:it|its|them|they|their|those|these|both|that one|the (?:first|second|same) one)\b", re.I
)
_TOPICS = (
    r"(?:fire|fires|firing|activate|activates|active|respond|responds|react|reacts|light up|lights up"
    r"|specialise|specialize)s?\s+(?:(?:mostly|strongly|only|more)\s+)?(?:on|for|to|in|with)\s+(.+)",
    r"\b(?:probe|classifier|concept|features? (?:for|about|related to|of|on"
    r"|that (?:detect|encode|represent|track)s?))\s+(?:for\s+|of\s+|the concept of\s+|the concept\s+)*(.+)",
    r"\b(?:detects?|encodes?|represents?|tracks?|captures?|cares? about|sensitive to|separates?"
    r"|linearly readable)\s+(.+)",
    r"\b(?:about|regarding|concerning|related to|tied to|for)\s+(.+)",
)
_TOPIC_PATTERNS = tuple(re.compile(t, re.IGNORECASE) for t in _TOPICS)
_TOPIC_END = re.compile(
    r"[?.!;:,]|\band\s+(?:does|do|what|then|how|is|are|turn|steer|show|tell|check|compare|ablate|see|say|give)\b"
    r"|\b(?:from|beside|against|versus) (?:other|the)\b|\bso far\b|\bif any\b"
    r"|\bin this (?:model|dictionary)\b|\bthen\b",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"^(?:the|a|an|some|any|texts? about|words? (?:for|about)|feature\b.*|features\b.*)\s+", re.I
)
_NO_TOPIC = {"it", "them", "this", "that", "these", "those", "they", "what", "which", "me", "us", "feature"}


@dataclass(frozen=True)
class Reading:
    """A request as the rules read it."""

    wishes: frozenset[Wish]
    features: tuple[int, ...]
    """Named in the request, in order."""
    quoted: tuple[str, ...]
    """Texts between quotation marks."""
    evidence: tuple[str, ...]
    """Ids of evidence."""
    topic: str
    """What features should be about; empty where the request does not say."""
    of_features: bool
    """Whether it speaks of features at all."""
    refers_back: bool
    """Whether it says `them` or `it`."""

    def wants(self, *wishes: Wish) -> bool:
        """Whether it wants any of them."""
        return any(w in self.wishes for w in wishes)


def read_request(request: str) -> Reading:
    """The reading of one request."""
    quoted = tuple(next(g for g in m.groups() if g) for m in _QUOTED.finditer(request))
    said = _EVIDENCE.sub(" ", _QUOTED.sub(" ", request))
    features = named_features(said)
    if not features:
        bare = (n for m in _BARE.finditer(said) for n in numbers_of_list(m.group()))
        features = tuple(dict.fromkeys(bare))
    wishes = frozenset(w for w, pattern in _PATTERNS.items() if pattern.search(said))
    return Reading(
        wishes=wishes,
        features=features,
        quoted=quoted,
        evidence=tuple(dict.fromkeys(_EVIDENCE.findall(request))),
        topic=_topic(said),
        of_features=bool(features) or bool(_OF_FEATURES.search(said)),
        refers_back=bool(_BACK.search(said)),
    )


def _topic(said: str) -> str:
    for pattern in _TOPIC_PATTERNS:
        for match in pattern.finditer(said):
            topic = _TOPIC_END.split(match[1].strip(), maxsplit=1)[0]
            topic = _LEADING.sub("", topic).strip(" '\"-")
            if topic and topic.casefold().split()[0] not in _NO_TOPIC and not re.match(r"#?\d", topic):
                return topic
    return ""
