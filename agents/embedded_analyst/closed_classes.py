"""Word classes that English keeps closed, or nearly so, with the name a person would give each."""

from __future__ import annotations

from typing import NamedTuple


class ClosedClass(NamedTuple):
    """A class and its members."""

    name: str
    """Plural: `modal verbs`."""
    words: frozenset[str]


def _of(name: str, words: str) -> ClosedClass:
    return ClosedClass(name, frozenset(words.split()))


CLOSED_CLASSES: tuple[ClosedClass, ...] = (
    _of(
        'forms of "be"',
        "be am is are was were been being 's 'm 're isn't aren't wasn't weren't it's that's there's "
        "he's she's i'm you're we're they're ain't",
    ),
    _of(
        'forms of "have"',
        "have has had having 've i've you've we've they've hasn't haven't hadn't 'd",
    ),
    _of(
        'forms of "do"',
        "do does did done doing don't doesn't didn't",
    ),
    _of(
        "modal verbs",
        "would could should might may must can will shall ought cannot can't won't wouldn't couldn't "
        "shouldn't 'll",
    ),
    _of(
        "negations",
        "not no never neither nor none nothing nobody nowhere n't don't didn't doesn't isn't wasn't "
        "can't cannot won't couldn't wouldn't hardly without",
    ),
    _of(
        "words of contrast",
        "but however although though yet nevertheless nonetheless still while whereas despite except "
        "instead rather otherwise",
    ),
    _of(
        "words of cause",
        "because therefore thus hence since so consequently why due reason reasons accordingly",
    ),
    _of(
        "subject pronouns",
        "i you he she it we they",
    ),
    _of(
        "third-person pronouns",
        "he she him her his hers himself herself they them their themselves",
    ),
    _of(
        "feminine words",
        "she her hers herself woman women girl girls lady wife mother daughter sister mrs miss",
    ),
    _of(
        "masculine words",
        "he him his himself man men boy boys gentleman husband father son brother mr sir",
    ),
    _of(
        "first-person pronouns",
        "i me my mine myself we us our ours ourselves i'm i've i'll i'd",
    ),
    _of(
        "second-person pronouns",
        "you your yours yourself yourselves you're you've you'll",
    ),
    _of(
        "object pronouns",
        "me you him her it us them",
    ),
    _of(
        "possessive pronouns",
        "my your his her its our their mine yours hers ours theirs whose",
    ),
    _of(
        "reflexive pronouns",
        "myself yourself himself herself itself ourselves themselves yourselves oneself",
    ),
    _of(
        "demonstratives",
        "this that these those such",
    ),
    _of(
        "relative pronouns",
        "who whom whose which that where when what",
    ),
    _of(
        "question words",
        "who whom whose which what where when why how whether",
    ),
    _of(
        "articles",
        "a an the",
    ),
    _of(
        "conjunctions",
        "and or but nor for yet so",
    ),
    _of(
        "indefinite pronouns",
        "someone somebody something anyone anybody anything everyone everybody everything nobody "
        "nothing somewhere anywhere everywhere one none",
    ),
    _of(
        "quantity words",
        "all some any many much few several most more less both each every none half enough lot lots "
        "plenty various numerous either another other others",
    ),
    _of(
        "frequency words",
        "always often sometimes usually never rarely seldom frequently occasionally again once twice "
        "ever daily weekly annually regularly",
    ),
    _of(
        "words for time order",
        "before after until till since when while during then once whenever meanwhile later earlier "
        "afterwards soon finally next previously",
    ),
    _of(
        "words for now and then",
        "now then today yesterday tomorrow tonight currently presently recently nowadays ago already "
        "still yet soon",
    ),
    _of(
        "conditional words",
        "if unless whether provided otherwise assuming else elif",
    ),
    _of(
        "comparison words",
        "than as like more less most least better worse best worst same different similar equal",
    ),
    _of(
        "prepositions of place",
        "in on at under over above below between among behind beside near inside outside within "
        "across through into onto upon around against beyond along toward towards",
    ),
    _of(
        "prepositions",
        "of in to for with on at from by about as into like through after over between out against "
        "during without before under around among concerning regarding",
    ),
    _of(
        "directions",
        "up down left right forward backward north south east west away back out off toward towards",
    ),
    _of(
        "compass directions",
        "north south east west northern southern eastern western northeast northwest southeast southwest",
    ),
    _of(
        "number words",
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty "
        "ninety hundred thousand million billion dozen hundreds thousands millions",
    ),
    _of(
        "ordinal numbers",
        "first second third fourth fifth sixth seventh eighth ninth tenth last next",
    ),
    _of(
        "months",
        "january february march april may june july august september october november december jan "
        "feb mar apr jun jul aug sept sep oct nov dec",
    ),
    _of(
        "days of the week",
        "monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun",
    ),
    _of(
        "seasons",
        "spring summer autumn fall winter",
    ),
    _of(
        "units of time",
        "second seconds minute minutes hour hours day days night week weeks weekend month months year "
        "years decade decades century centuries moment moments time times",
    ),
    _of(
        "parts of the day",
        "morning afternoon evening night midnight noon dawn dusk tonight sunset sunrise",
    ),
    _of(
        "units of measure",
        "inch inches foot feet yard yards mile miles meter meters metre cm mm km kilometers pound "
        "pounds ounce ounces ton tons gram grams gallon gallons degree degrees acre acres percent "
        "cents dollars",
    ),
    _of(
        "colours",
        "red orange yellow green blue purple violet pink brown black white gray grey golden silver scarlet",
    ),
    _of(
        "family members",
        "mother father parent parents son daughter brother sister husband wife child children baby "
        "uncle aunt cousin nephew niece grandfather grandmother family mama papa dad mom brothers "
        "sisters sons daughters",
    ),
    _of(
        "words for people",
        "man men woman women boy boys girl girls person people child children lady gentleman guy "
        "fellow fellows ladies individual individuals",
    ),
    _of(
        "forms of address",
        "mr mrs miss ms dr sir madam lady lord mister mme rev professor prof",
    ),
    _of(
        "body parts",
        "head face eye eyes ear ears nose mouth lip lips tooth teeth hair neck shoulder shoulders arm "
        "arms hand hands finger fingers chest heart back leg legs knee knees foot feet skin body "
        "throat cheek chin stomach",
    ),
    _of(
        "verbs of speech",
        "say says said saying tell told ask asked asks reply replied answer answered speak spoke talk "
        "talked whisper whispered shout shouted cry cried declare declared explained added remarked "
        "exclaimed muttered",
    ),
    _of(
        "verbs of thinking",
        "think thinks thought know knows knew known believe believed believes suppose guess wonder "
        "wondered realize realized understand understood imagine remember remembered consider "
        "considered feel felt",
    ),
    _of(
        "verbs of perception",
        "see saw seen look looked looking watch watched hear heard listen listened feel felt notice "
        "noticed stare stared gaze gazed glance glanced smell smelled sound sounded",
    ),
    _of(
        "verbs of motion",
        "go goes went gone going come came coming walk walked run ran move moved drive drove ride "
        "rode fly flew travel traveled turn turned step stepped climb climbed enter entered arrived "
        "left return returned",
    ),
    _of(
        "intensifiers",
        "very too so quite rather extremely really highly completely totally absolutely entirely "
        "almost nearly fairly pretty somewhat merely just only even utterly",
    ),
    _of(
        "degree and doubt words",
        "perhaps maybe probably possibly certainly surely likely apparently seemingly obviously "
        "clearly presumably evidently undoubtedly",
    ),
    _of(
        "Python keywords",
        "def class return import from if else elif for while try except finally raise with as lambda "
        "yield assert pass break continue global nonlocal del in is not and or none true false async "
        "await",
    ),
    _of(
        "Python types and built-ins",
        "int str float bool list dict tuple set bytes object none type len range print isinstance "
        "getattr setattr super property staticmethod classmethod self cls",
    ),
    _of(
        "programming words",
        "function method class object module argument arguments parameter parameters variable value "
        "values string integer list dict key keys attribute attributes return file code args kwargs "
        "instance type input output default error exception",
    ),
    _of(
        "legal words",
        "license licensed licensor licensee agreement contract copyright warranty warranties "
        "liability party parties rights terms conditions patent clause provision law court legal "
        "herein hereby thereof pursuant",
    ),
    _of(
        "religious words",
        "god christ jesus lord church faith holy prayer sin soul bible heaven angel angels priest "
        "religion religious christian catholic gospel divine worship",
    ),
    _of(
        "military words",
        "army navy war military soldier soldiers troops officer captain general colonel sergeant "
        "enemy battle weapon weapons gun guns attack force forces defense marine commander",
    ),
    _of(
        "money words",
        "money dollar dollars cent cents pay paid price prices cost costs tax taxes fund funds budget "
        "income million billion fee fees salary profit profits bank loan debt",
    ),
    _of(
        "nationalities",
        "american british english french german russian chinese japanese italian spanish soviet "
        "indian irish dutch greek roman jewish african european mexican cuban canadian",
    ),
    _of(
        "countries",
        "america england france germany russia china japan italy spain india ireland greece africa "
        "europe mexico cuba canada britain israel egypt laos congo poland",
    ),
    _of(
        "US states and cities",
        "york california texas chicago boston washington georgia virginia carolina florida michigan "
        "ohio pennsylvania illinois atlanta philadelphia detroit houston dallas hollywood jersey "
        "providence",
    ),
    _of(
        "German words",
        "der die das und oder nicht ist ein eine einer einem des den dem von zu mit für auf im werk "
        "lizenz sie werden durch sind als wird dieser diese",
    ),
    _of(
        "French words",
        "le la les de des du et un une dans pour que qui sur par est avec ou licence logiciel au aux "
        "ce cette",
    ),
    _of(
        "Roman numerals",
        "ii iii iv vi vii viii ix xi xii xiii xiv xv",
    ),
)
