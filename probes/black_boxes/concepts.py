"""Word lists by concept and part, and relations between words: what text features are about.

Written for this benchmark. A word stands in one part of one concept only. Of each part, words in even
places are open (anybody may be shown them), the others are kept for scoring.
"""

from __future__ import annotations

from collections.abc import Mapping

_LISTS = {
    "animals": {
        "birds": "robin sparrow eagle falcon owl pigeon heron swan parrot crow",
        "fish": "salmon trout cod tuna herring carp pike eel haddock perch",
        "mammals": "horse sheep tiger rabbit goat wolf otter bear deer donkey",
        "insects": "beetle moth wasp ant butterfly cricket mosquito hornet dragonfly locust",
    },
    "food": {
        "fruit": "apple pear plum cherry apricot mango banana peach raspberry melon",
        "vegetables": "carrot cabbage onion potato spinach leek turnip broccoli radish celery",
        "drinks": "coffee tea lemonade beer wine cocoa cider milk juice whisky",
    },
    "vehicles": {
        "road": "car lorry bus motorcycle taxi bicycle tram van scooter tractor",
        "water": "ship ferry canoe yacht barge raft submarine kayak dinghy trawler",
        "air": "aeroplane helicopter glider balloon rocket airship jet biplane drone zeppelin",
    },
    "music": {
        "strings": "violin cello harp guitar lute banjo viola mandolin ukulele zither",
        "wind": "flute oboe trumpet clarinet bassoon trombone tuba bagpipes saxophone bugle",
        "percussion": "drum cymbal xylophone tambourine gong timpani marimba maracas bongo castanets",
    },
    "plants": {
        "trees": "oak birch maple elm willow pine cedar beech poplar spruce",
        "flowers": "rose tulip daisy lily orchid daffodil violet poppy sunflower marigold",
        "herbs": "basil thyme mint parsley sage oregano dill rosemary chives coriander",
    },
    "body": {
        "head": "nose ear chin cheek eyebrow forehead lip tongue jaw eyelid",
        "limbs": "elbow knee ankle wrist finger thumb shin thigh heel forearm",
        "organs": "heart liver kidney lung stomach spleen pancreas bladder brain intestine",
    },
    "clothing": {
        "headwear": "hat cap bonnet helmet turban hood beret beanie crown veil",
        "footwear": "shoe boot sandal slipper clog moccasin sock trainer stocking wellington",
        "garments": "shirt skirt trousers jacket dress coat sweater blouse waistcoat cardigan",
    },
    "professions": {
        "medical": "doctor nurse surgeon dentist midwife pharmacist paramedic optician physician therapist",
        "trades": "carpenter plumber mason blacksmith electrician tailor baker butcher cobbler roofer",
        "arts": "painter poet sculptor novelist actor composer dancer singer playwright photographer",
    },
    "emotions": {
        "pleasant": "joy delight happiness pride hope contentment gratitude love amusement relief",
        "unpleasant": "anger fear grief shame envy sorrow disgust despair jealousy remorse",
    },
    "weather": {
        "wet": "rain drizzle snow hail sleet downpour fog mist shower thunderstorm",
        "dry": "drought sunshine heatwave wind breeze gale gust hurricane tornado frost",
    },
    "tools": {
        "garden": "spade rake hoe trowel shears wheelbarrow pitchfork sickle scythe secateurs",
        "workshop": "hammer saw chisel pliers wrench screwdriver drill file clamp vice",
        "kitchen": "spoon ladle whisk saucepan kettle colander grater spatula skillet sieve",
    },
    "law": {
        "crimes": "theft murder fraud arson burglary forgery assault bribery perjury smuggling",
        "court": "judge jury verdict lawyer trial witness prosecutor plaintiff defendant appeal",
    },
    "money": {
        "banking": "bank loan mortgage interest deposit credit account cheque overdraft debt",
        "currencies": "dollar euro pound yen rupee peso franc krona rouble shekel",
    },
    "sports": {
        "ball": "football tennis handball rugby basketball volleyball golf hockey baseball squash",
        "winter": "skiing skating sledging curling snowboarding bobsleigh biathlon luge tobogganing slalom",
        "fighting": "boxing wrestling judo karate fencing sumo taekwondo kickboxing aikido kendo",
    },
    "buildings": {
        "homes": "house cottage villa bungalow flat mansion hut cabin farmhouse apartment",
        "worship": "church mosque temple cathedral chapel synagogue abbey shrine pagoda monastery",
        "work": "factory office warehouse shop mill workshop studio laboratory brewery foundry",
    },
    "science": {
        "chemistry": "acid molecule atom catalyst oxygen hydrogen polymer solvent isotope compound",
        "mathematics": "theorem algebra geometry equation integral matrix fraction proof polygon logarithm",
        "astronomy": "planet comet galaxy telescope asteroid nebula orbit eclipse meteor supernova",
    },
}
_PAIRS = {
    "capital_of": {
        "europe": "france-paris spain-madrid italy-rome norway-oslo greece-athens poland-warsaw "
        "austria-vienna portugal-lisbon",
        "asia": "japan-tokyo china-beijing india-delhi iran-tehran iraq-baghdad thailand-bangkok "
        "vietnam-hanoi nepal-kathmandu",
        "africa": "egypt-cairo kenya-nairobi ghana-accra morocco-rabat senegal-dakar angola-luanda "
        "uganda-kampala tunisia-tunis",
        "america": "peru-lima cuba-havana chile-santiago canada-ottawa ecuador-quito "
        "jamaica-kingston colombia-bogota venezuela-caracas",
    },
    "opposite_of": {
        "size": "big-small tall-short wide-narrow deep-shallow thick-thin long-brief large-little huge-tiny",
        "feeling": "happy-sad brave-cowardly kind-cruel calm-nervous proud-humble friendly-hostile "
        "polite-rude patient-hasty",
        "touch": "hot-cold hard-soft wet-dry rough-smooth sharp-blunt heavy-light "
        "tight-loose sticky-slippery",
    },
    "past_of": {
        "regular": "walk-walked jump-jumped call-called open-opened paint-painted climb-climbed "
        "laugh-laughed wash-washed",
        "irregular": "go-went see-saw eat-ate take-took write-wrote sing-sang bring-brought fly-flew",
    },
    "young_of": {
        "farm": "cow-calf hen-chick pig-piglet mare-foal ewe-lamb duck-duckling nanny-kid goose-gosling",
        "wild": "lion-cub fox-kit hare-leveret seal-pup kangaroo-joey frog-tadpole doe-fawn mussel-spat",
    },
}

Lists = Mapping[str, tuple[str, ...]]

CONCEPTS: Mapping[str, Lists] = {
    concept: {part: tuple(words.split()) for part, words in parts.items()}
    for concept, parts in _LISTS.items()
}
"""Words by concept and part."""
RELATIONS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    relation: {
        part: dict(pair.split("-") for pair in pairs.split())  # pyright: ignore[reportUnknownLambdaType]
        for part, pairs in parts.items()
    }
    for relation, parts in _PAIRS.items()
}
"""What each word is mapped to, by relation and part."""


def words_of(concept: str) -> tuple[str, ...]:
    """All words of a concept."""
    return tuple(word for words in CONCEPTS[concept].values() for word in words)


def parts_of_concepts() -> tuple[str, ...]:
    """Every part as `concept/part`."""
    return tuple(f"{concept}/{part}" for concept, parts in CONCEPTS.items() for part in parts)


def parts_of_relations() -> tuple[str, ...]:
    """Every part as `relation/part`."""
    return tuple(f"{relation}/{part}" for relation, parts in RELATIONS.items() for part in parts)


def part_words(part: str) -> tuple[str, ...]:
    """The words of `concept/part` or the inputs of `relation/part`."""
    name, _, inner = part.partition("/")
    return CONCEPTS[name][inner] if name in CONCEPTS else tuple(RELATIONS[name][inner])


def open_words(part: str) -> tuple[str, ...]:
    """Those that anybody may be shown."""
    return part_words(part)[::2]


def held_out_words(part: str) -> tuple[str, ...]:
    """Those that are kept for scoring."""
    return part_words(part)[1::2]
