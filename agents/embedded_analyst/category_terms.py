"""Common terms for groups of words, plural, as a person would say them."""

from __future__ import annotations

CATEGORY_TERMS: tuple[str, ...] = tuple(
    term.strip()
    for term in """
the economy; nations; titles of office; managers; actions; bytes and bits; clauses of a licence;
resistance; perception; sounds of speech; equality; agreement; refusal; animals; birds; fish;
insects; dogs; cats; horses; farm animals; wild animals; plants; trees; flowers; fruit; vegetables;
food; meals; drinks; alcohol; cooking; kitchen things; furniture; rooms of a house; buildings; parts
of a building; houses; clothes; shoes; jewellery; fabrics; materials; metals; stones; wood;
chemicals; gases; liquids; water; rivers and lakes; the sea; ships and boats; sailors; fishing;
weather; rain; snow and ice; wind; storms; heat; cold; fire; light; darkness; colours; shapes;
sizes; large size; small size; length and distance; height; depth; weight; speed; quickness;
slowness; strength; weakness; hardness; softness; noise; silence; music; songs; musical instruments;
dance; art; painting; theatre; film; photography; literature; poetry; books; newspapers; writing;
reading; letters; language; grammar; words; names; personal names; surnames; place names; cities;
countries; nationalities; continents; streets and roads; travel; cars; trains; aircraft; vehicles;
machines; engines; tools; weapons; guns; war; battle; soldiers; military ranks; police; crime;
murder; violence; injury; punishment; prison; law; courts; judges; contracts; licences; copyright;
patents; rights; permission; prohibition; obligation; government; politics; elections; political
parties; presidents; kings and queens; officials; committees; organisations; companies; business;
industry; factories; trade; money; prices; taxes; banks; jobs; occupations; workers; schools;
students; teachers; universities; science; physics; chemistry; biology; medicine; doctors; diseases;
pain; body parts; blood; face and expression; eyes and looking; hands and touching; hair; health;
death; birth; life; age; youth; old age; children; babies; family; marriage; love; hate; friendship;
sex; men; women; people; groups of people; crowds; religion; god; churches; priests; sin; prayer;
belief; doubt; truth; lies; knowledge; ignorance; thinking; memory; forgetting; imagination; dreams;
sleep; ideas; plans; intentions; decisions; choices; causes; effects; reasons; purposes; problems;
solutions; questions; answers; speech; talking; shouting; laughter; crying; emotions; happiness;
sadness; anger; fear; surprise; shame; pride; desire; hope; beauty; ugliness; goodness; evil;
virtue; kindness; cruelty; courage; success; failure; winning; losing; games; sports; baseball;
gambling; time; years; dates; months; days; seasons; hours and minutes; past; future; beginning;
ending; continuing; stopping; frequency; delay; order and sequence; numbers; quantity; fractions;
percentages; measurement; units of measure; mathematics; statistics; geometry; change; increase;
decrease; growth; destruction; damage; creation; making; building; repair; movement; walking;
running; falling; rising; turning; throwing; pushing and pulling; carrying; holding; giving; taking;
receiving; buying; selling; finding; losing things; hiding; showing; opening; closing; joining;
separating; breaking; cutting; mixing; covering; filling; emptying; cleaning; dirt; eating;
drinking; breathing; sitting; standing; lying down; waiting; arriving; leaving; entering; following;
leading; helping; preventing; allowing; forcing; trying; using; needing; wanting; possession;
similarity; difference; opposites; comparison; importance; certainty; possibility; necessity;
danger; safety; freedom; power; control; responsibility; direction; position; inside; outside;
above; below; front; back; sides; edges; surfaces; containers; bags and boxes; lists; tables; files;
folders; computers; software; programming; functions; classes and objects; variables; strings;
exceptions and errors; warnings; tests; versions; networks; servers; e-mail; web pages; user
interfaces; keyboards; encodings; characters; parsing; compilers; operating systems; processes and
threads; databases; security; passwords; dates and times; documents; paragraphs; definitions;
examples; descriptions; German words; French words; Spanish words; abbreviations; titles; polite
forms; swear words; dialect; foreign words; nature; earth; mountains; land; farms; agriculture;
fields; forests; deserts; islands; countryside; towns; neighbourhoods; space; planets; stars;
energy; electricity; radiation; nuclear weapons; atoms; temperature; pressure; waves; sound; optics;
population; race; poverty; wealth; class in society; history; ancient times; revolution; communism;
democracy; philosophy; ethics; psychology; education; research; experiments; evidence
""".replace("\n", " ").split(";")
)
"""Some 470 terms."""
