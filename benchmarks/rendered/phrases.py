# ruff: noqa: E501  (the tables of words stay one phrase list to a line)
"""The words of the caption grammar: behaviors with their phrases, garments, persons and templates; data only."""

COLORS = ("black", "white", "gray", "red", "blue", "green", "yellow", "orange", "purple", "pink", "brown")
COLOR_WORDS = {color: (color,) for color in COLORS} | {"gray": ("gray", "gray", "grey"), "purple": ("purple", "violet")}
PERSONS = {
    "man": ("man", "man", "guy", "male", "adult man"),
    "woman": ("woman", "woman", "lady", "female", "adult woman"),
    "boy": ("boy", "child", "kid", "young boy"),
    "girl": ("girl", "child", "kid", "young girl"),
    "old man": ("old man", "elderly man", "man", "man with gray hair"),
    "old woman": ("old woman", "elderly woman", "woman", "lady"),
}
_MEN, _WOMEN = ("man", "old man"), ("woman", "old woman")
WHO_FACTS = {word: frozenset(_MEN) for word in ("man", "guy", "male", "adult man")}
WHO_FACTS |= {word: frozenset(_WOMEN) for word in ("woman", "lady", "female", "adult woman")}
WHO_FACTS |= {word: frozenset(("boy", "girl")) for word in ("child", "kid")}
WHO_FACTS |= {"young boy": frozenset(("boy",)), "young girl": frozenset(("girl",))}
WHO_FACTS |= {"elderly man": frozenset(("old man",)), "man with gray hair": frozenset(("old man",))}
WHO_FACTS |= {"elderly woman": frozenset(("old woman",))}
ANYONE = ("person", "person", "person", "pedestrian", "individual", "figure", "human")
KIND_WORDS = {
    "t-shirt": ("t-shirt", "t-shirt", "shirt", "top"),
    "shirt": ("shirt", "shirt", "blouse", "top"),
    "sweater": ("sweater", "sweater", "hoodie", "top"),
    "jacket": ("jacket", "jacket", "jacket", "coat"),
    "coat": ("coat", "coat", "coat", "jacket"),
    "trousers": ("trousers", "pants", "pants", "jeans", "leggings"),
    "shorts": ("shorts",),
    "skirt": ("skirt",),
    "backpack": ("backpack", "rucksack", "bag"),
    "handbag": ("handbag", "bag"),
    "plastic bag": ("plastic bag", "bag"),
}
ANY_WORDS = {"upper": ("top", "top", "vest"), "lower": ("pants",), "bag": ("bag",)}  # where the kind is not known
ANY_WORDS |= {"shoes": ("shoes", "sneakers", "boots", "footwear"), "hat": ("hat", "cap")}
KIND_FACTS = {
    word: frozenset(k for k, words in KIND_WORDS.items() if word in words) for ws in KIND_WORDS.values() for word in ws
}
SHOE_WORDS = ANY_WORDS["shoes"]
NOT_SAID = frozenset(("indoors", "bald", ""))  # "at the indoors", "bald hair"
PLURAL = frozenset(("pants", "trousers", "jeans", "shorts", "leggings", *SHOE_WORDS))

# behavior: canonical word; phrases after "is"; finite phrases; held-out phrases after "is"; held-out finite
ACTS = {
    "standing": (
        "standing",
        "*standing|*standing still|*standing upright|*waiting|*standing around|*standing in place|*standing quietly|*standing there doing nothing",
        "*stands|*stands still|*waits|*stood|*stands upright",
        "*standing around in place|*standing there quietly",
        "*stands in place",
    ),
    "walking": (
        "walking",
        "*walking|*walking along|*strolling|*walking past|taking a *walk|*walking at a normal pace|*walking by|*walking forward|on a *walk|*wandering",
        "*walks|*walks along|*strolls|*walked|*walks past|*walks forward",
        "*walking forward at a normal pace|*strolling along",
        "*walks by at a normal pace",
    ),
    "running": (
        "running",
        "*running|*running away|*running fast|*sprinting|*jogging|*racing|*rushing|*running along|at a *run|*running forward",
        "*runs|*runs away|*sprints|*ran|*jogs|*runs fast|*rushes",
        "*sprinting away fast|*running along fast",
        "*runs along fast",
    ),
    "sitting": (
        "sitting",
        "*sitting|*sitting down|*seated|*sitting on the ground|*sitting on the floor|*seated on the ground|*sitting on a bench|*resting on a seat",
        "*sits|*sits on the ground|*sat|*sits down|*sits on the floor",
        "*seated on the floor|*sitting down on the ground",
        "*sits down on the floor",
    ),
    "crouching": (
        "crouching",
        "*crouching|*crouching down|*squatting|*squatting down|*kneeling|*crouched low|*kneeling down|*crouched|*squatting low",
        "*crouches|*squats|*crouched|*kneels|*crouches down|*kneels down",
        "*squatting low on the ground|*crouched down",
        "*squats down low",
    ),
    "bending": (
        "bending",
        "*bending|*bending over|*bending down|*bent over|*leaning forward|*stooping|*leaning down|*bent forward|*bending over to pick something up",
        "*bends|*bends over|*bends down|*bent down|*leans forward|*stoops",
        "*stooping over|*leaning forward to pick something up",
        "*bends forward",
    ),
    "waving": (
        "waving",
        "*waving|*waving a hand|*waving an arm|*waving at someone|*waving with a raised hand|*greeting with a raised hand|*signaling with one arm|*waving for help|with one arm *raised",
        "*waves|*waves a hand|*waved|*waves at someone|*signals with one arm",
        "*waving one arm for help|*greeting someone with a hand",
        "*waves with one raised arm",
    ),
    "phoning": (
        "phoning",
        "*phoning|on the *phone|*talking on the phone|*calling someone|making a phone *call|holding a *phone to the ear|*talking on a mobile phone|*using a phone|*phoning someone",
        "*phones|*talks on the phone|*phoned|*calls someone|*uses a phone",
        "*talking to someone on the phone|*calling on a mobile phone",
        "*talks on a mobile phone",
    ),
    "carrying": (
        "carrying",
        "*carrying something|*carrying a box|*carrying a load|*holding something heavy|*hauling something|*carrying an object|*carrying|*lugging a load|*holding a box with both arms",
        "*carries something|*carries a box|*carried something|*hauls a load|*carries an object",
        "*hauling a heavy box|*carrying something heavy",
        "*carries a heavy load",
    ),
    "jumping": (
        "jumping",
        "*jumping|*jumping up|*leaping|*hopping|*jumping in the air|*leaping up|*jumping into the air|*jumping high|making a *jump",
        "*jumps|*jumps up|*leaps|*jumped|*hops|*jumps into the air",
        "*leaping high into the air|*hopping up",
        "*leaps up high",
    ),
    "cycling": (
        "cycling",
        "*cycling|*riding a bicycle|*riding a bike|on a *bicycle|on a *bike|*biking|*pedaling a bike|*riding along on a bicycle",
        "*cycles|*rides a bicycle|*rode a bike|*rides a bike|*cycled",
        "*pedaling along on a bicycle|*cycling on a bike",
        "*rides along on a bike",
    ),
    "falling": (
        "falling",
        "*falling|*falling down|*falling over|*tripping|*stumbling|*losing balance|*toppling over|*slipping|*tripping and falling|about to hit the ground in a *fall|*falling to the ground",
        "*falls|*fell|*falls down|*trips|*slips|*stumbles|*fell down|*loses balance|*falls to the ground|*tripped",
        "*toppling to the ground|*stumbling and losing balance",
        "*fell over to the ground",
    ),
    "collapsing": (
        "collapsing",
        "*collapsing|*collapsing to the ground|*fainting|*passing out|*sinking to the ground|*collapsing on the spot|*breaking down on the knees|*fainting and sinking down|*sinking down on the knees",
        "*collapses|*faints|*collapsed|*passes out|*sinks to the ground|*fainted|*collapses on the spot|*sinks down on the knees",
        "*fainting on the spot|*collapsing on the knees",
        "*sinks down to the ground",
    ),
    "falling_off_bicycle": (
        "crashing",
        "*crashing with a bicycle|*falling off a bicycle|*falling from a bike|*crashing on a bike|*tumbling off a bicycle|*falling off a bike|having a bicycle *crash|*crashing to the ground with a bike|*thrown off a bicycle",
        "*crashes with a bicycle|*falls off a bicycle|*fell off a bike|*crashed on a bike|*falls from a bike|*tumbles off a bicycle",
        "*tumbling from a bike|*crashing to the ground with a bicycle",
        "*fell from a bicycle",
    ),
    "lying": (
        "lying",
        "*lying|*lying on the ground|*lying on the floor|*lying down|*lying motionless|*collapsed on the ground|flat on the *ground|*lying flat|*stretched out on the ground|*lying unconscious|*laying on the ground|down on the *floor",
        "*lies|*lies on the ground|*lay on the floor|*lies down|*lies motionless|*lies flat|*lies on the floor",
        "*stretched out flat on the floor|*lying unconscious on the ground",
        "*lies motionless on the ground",
    ),
    "crawling": (
        "crawling",
        "*crawling|*crawling on the ground|*crawling on hands and knees|on *hands and knees|*creeping on all fours|on all *fours|*crawling along|*crawling forward",
        "*crawls|*crawled|*crawls on the ground|*crawls forward|*creeps on all fours",
        "*creeping along on hands and knees|*crawling on all fours",
        "*crawls along on all fours",
    ),
    "fighting": (
        "fighting",
        "*fighting|*fighting with someone|in a *fight|*brawling|*fighting with another person|*attacking someone|*wrestling with someone|having a *fight|*struggling with another person|*assaulting someone|in a *brawl",
        "*fights|*fights with someone|*fought|*attacks someone|*brawls|*attacked someone|*assaults someone",
        "*brawling with another person|*attacking another person in a fight",
        "*brawls with someone",
    ),
    "pushing": (
        "pushing",
        "*pushing|*pushing someone|*shoving someone|*pushing another person|*shoving|*pushing someone away|giving someone a *push|giving someone a *shove|*shoving another person",
        "*pushes someone|*shoves someone|*pushed someone|*pushes another person|*pushes|*shoved someone",
        "*shoving someone away|giving another person a *push",
        "*shoves another person away",
    ),
    "punching": (
        "punching",
        "*punching|*punching someone|*hitting someone|throwing a *punch|*striking with the fist|*boxing|*hitting another person|*beating someone|*striking someone|*punching another person",
        "*punches someone|*hits someone|*punched someone|*strikes someone|*beats someone|*punches",
        "*striking another person with the fist|throwing a *punch at someone",
        "*hits another person with the fist",
    ),
    "kicking": (
        "kicking",
        "*kicking|*kicking someone|giving a *kick|*kicking another person|*kicking with one leg|*kicking out|*kicking high|giving someone a *kick",
        "*kicks|*kicks someone|*kicked someone|*kicks out|*kicks another person",
        "*kicking out with one leg|giving another person a *kick",
        "*kicks someone with one leg",
    ),
    "climbing": (
        "climbing",
        "*climbing|*climbing a fence|*climbing over a fence|*climbing over a wall|*climbing up|*scaling a fence|*climbing a wall|*scrambling over a fence",
        "*climbs|*climbs a fence|*climbed over a fence|*climbs over a wall|*scales a fence",
        "*scaling a wall|*scrambling up over a wall",
        "*climbs up a wall",
    ),
    "dragged": (
        "dragging",
        "being *dragged|being *dragged along|being *dragged by someone|being *pulled along the ground|being *dragged away|being *hauled away|*dragged over the ground|*dragging along the ground",
        "is *dragged away|gets *dragged along|is *pulled along|is *dragged by someone|was *dragged over the ground",
        "being *pulled away by someone|being *dragged along the ground",
        "gets *pulled over the ground",
    ),
    "hit_by_person": (
        "beaten",
        "being *beaten|being *beaten up|being *hit by someone|*hit by another person|being *attacked by someone|getting *punched by someone|being *struck by another person|being *assaulted|being *punched",
        "is *beaten by someone|gets *beaten up|was *hit by another person|gets *punched by someone|is *attacked by another person|was *assaulted",
        "getting *attacked by another person|being *hit by another person",
        "gets *struck by someone",
    ),
    "hit_by_vehicle": (
        "colliding",
        "being *hit by a car|*hit by a vehicle|being *struck by a car|being *run over|being *knocked down by a car|*colliding with a car|*knocked over by a vehicle|being *hit by a vehicle",
        "is *hit by a car|gets *struck by a vehicle|was *hit by a car|*collides with a car|gets *run over by a car",
        "being *struck by a vehicle|being *knocked over by a car",
        "gets *hit by a vehicle",
    ),
    "breaking_into_car": (
        "breaking",
        "*breaking into a car|*breaking into a vehicle|*stealing from a car|*forcing a car door|*tampering with a car|*forcing open a car|trying to *break into a car|*breaking a car window",
        "*breaks into a car|*broke into a car|*forces a car door|*breaks into a vehicle|*tampers with a car",
        "*forcing open a vehicle door|trying to *break into a vehicle",
        "*forces open a car door",
    ),
}
BEHAVIORS = tuple(ACTS)
ANSWERS = {behavior: entry[0] for behavior, entry in ACTS.items()}
PAIRS = {
    "fighting": "two people *fighting|two men *fighting|people *brawling|a *fight between two people|two persons in a *fight|two people *fight|a *brawl",
    "pushing": "two people *pushing each other|someone *shoving another person|one person *pushes another|people *shoving",
    "punching": "one person *punching another|someone *hitting another person|two people *punching each other",
    "kicking": "one person *kicking another|someone *kicking another person|two people *kicking each other",
    "hit_by_person": "someone *beaten by another person|a person *attacked by another|one person *hit by another",
    "dragged": "someone *dragging a person|one person *dragging another|a person *dragged by another",
}

SHORT = """{who} {ing}|{a_who} {ing}|{ing}|someone {ing}|somebody {ing}|anyone {ing}|person {ing}|people {ing}|{a_who} who is {ing}
{who} who {does}|{a_who} {does}|someone {does}|the {who} is {ing}|{who} in {u}|{a_who} in {upper}|{who} with {l}|{who} wearing {u}
{who} in {uc}|{who} in {u} {ing}|{a_who} in {upper} {ing}|{who} with {u} {ing}|{who} wearing {u} and {l}|{who} in {u} and {l}
{ing} {who}|{ing} in {u}|{ing} , {uc} top|{u} , {l}|{uc} top {lc} bottom|{uc} {lc}|{who} , {u} , {l}|{who} , {u} , {ing}|{u} {ing}
{who} in {l} {ing}|{who} {ing} in {u}|{who} {ing} in {uc}|{a_who} {ing} in {upper}|find {a_who} {ing}|show me {a_who} in {upper}
look for someone {ing}|is anyone {ing}|{who} {ing} with {l}|{who} dressed in {uc}|{who} in {uc} {ing}|{who} with {bag}|{who} with {hat}
{who} with {bag} {ing}|{who} wearing {hat} {ing}|{who} with {s}|{who} {ing} at night""".replace("\n", "|")
MEDIUM = """{a_who} in {upper} and {lower} is {ing}.|{a_who} wearing {upper} and {lower} {ing}.|{a_who} wearing {upper} with {lower} is {ing}.
the {who} with {l} and {upper} is {ing}.|{a_who} is {ing} , dressed in {upper} and {lower}.|{ing} : {a_who} in {uc} and {lc}.
{a_who} in {upper} is {ing}.|{a_who} in {lower} is {ing}.|{a_who} dressed in {uc} {does}.|a photo of {a_who} {ing}.|an image of {a_who} in {upper}.
a picture of {a_who} {ing} in {upper} and {lower}.|{a_who} with {lower} {does}.|{a_who} in {upper} , {lower} and {s} is {ing}.
{a_who} who wears {upper} and {lower} {does}.|{a_who} , wearing {upper} , {does}.|{a_who} in {upper} and {lower} {does}.|someone in {upper} and {lower} {does}.
someone wearing {u} and {l} is {ing}.|there is {a_who} {ing}.|there is {a_who} in {upper} and {lower}.|we see {a_who} in {upper} who is {ing}.
{a_who} with {bag} is {ing}.|{a_who} with {hat} , {upper} and {lower} is {ing}.|{a_who} in {upper} and {lower} with {bag} {does}.
in the picture {a_who} in {upper} is {ing}.|at the {place} {a_who} is {ing}.|{a_who} in {upper} and {lower} is {ing} at the {place}.
{a_who} in {upper} is {ing} near the {place}.|the {who} wears {upper} and {lower} and is {ing}.|the {who} has {upper} and {lower} on and {does}.
the person {ing} wears {upper}.|the person {ing} wears {lower}.|{a_who} with {hair} hair in {upper} is {ing}.|{a_who} {ing} with {bag}.
{a_who} whose top is {uc} and whose pants are {lc} is {ing}.|{a_who} , top {uc} , pants {lc} , is {ing}.|the {who} in {uc} is {ing}.
{a_who} in {upper} {does} and has {bag}.|{a_who} in {s} is {ing}.|{a_who} in {hat} and {upper} {does}.|it is {a_who} in {upper} , {ing}.
at night {a_who} is {ing}.|{a_who} wearing {uc} clothes and {l} , {ing}.|{a_who} is seen {ing} in {upper} and {lower}.""".replace(
    "\n", "|"
)
OPEN = """The image shows {a_who} {ing}.|A picture of {a_who} in {upper}.|{a_who} is {ing} at the {place}.|This is {a_who} with {hair} hair.|In the image {a_who} in {upper} is {ing}.
The picture captures {a_who} outdoors.|{a_who} wearing {upper} and {lower} is {ing}.|A camera image shows {a_who} who is {ing}.|{a_who} is seen from a camera above the {place}.|""".replace(
    "\n", "|"
).rstrip("|")
ATTIRE = """The {who} is wearing {upper} , {lower} and {s}.|The person is dressed in {upper} with {lower}.|The {who} wears {upper} and {lower}.|They have {upper} , {lower} and {s} on.
The outfit consists of {upper} and {lower} , along with {s}.|Dressed in {uc} and {lc} , the {who} stays in view.|The {who} has {hair} hair , {upper} and {lower}.|The top is {uc} and the pants are {lc}.
The {who} is in {upper} and {lower} and carries {bag}.|The {who} wears {hat} , {upper} and {lower}.|The clothes are {upper} , {lower} and {s}.""".replace(
    "\n", "|"
)
ACTION = """The person is {ing}.|The {who} is {ing} at the {place}.|The {who} {does}.|In this moment the person is {ing}.|The scene shows the {who} {ing}.|It looks like the person is {ing}.
The {who} appears to be {ing}.|What happens here : the {who} {does}.|The posture shows that the person is {ing}.|Meanwhile the {who} is {ing} near the {place}.""".replace(
    "\n", "|"
)
FULL = {
    "open": "The image shows {a_who} with {hair} hair.|A picture of {a_who} at the {place}.|{a_who} with {hair} hair is seen at the {place}.|This is {a_who} at the {place}.|In the image we see {a_who} with {hair} hair.",
    "attire": "The {who} is wearing {upper} , {lower} and {s}.|The person is dressed in {upper} with {lower} and {s}.|The outfit consists of {upper} and {lower} , along with {s}.|They have {upper} , {lower} and {s} on.|The {who} wears {upper} with {lower} , and {s}.|The clothes are {upper} , {lower} and {s}.",
    "hat": "The {who} wears {hat}.|On the head is {hat}.|They have {hat} on.|{hat} is on the head.",
    "bag": "The {who} carries {bag}.|They have {bag}.|The {who} is seen with {bag}.|With the {who} is {bag}.",
    "action": ACTION,
}
FULL_HELD = {
    "open": "In view is {a_who} at the {place}.|The camera captures {a_who} with {hair} hair.",
    "attire": "The {who} has {upper} , {lower} and {s} on.|The person in the scene is dressed in {upper} and {lower} , with {s}.",
    "hat": "The {who} has {hat} on.",
    "bag": "The person is seen with {bag}.",
    "action": "The picture captures the moment the {who} {does}.|It appears the person is {ing}.",
}
HELD = {
    "short": "{who} seen {ing}|{u} and {l} , {ing}|show me anyone {ing}|find someone in {u} {ing}|{who} who is in {uc} , {ing}",
    "medium": """in this image {a_who} wears {upper} and {lower} and is {ing}.|an image of {a_who} {ing} who wears {upper} with {lower}.|there is someone {ing} , dressed in {upper} and {lower}.
the {who} {ing} has {upper} and {lower} on.|we see {a_who} whose top is {uc} , with {lower} , who is {ing}.|{ing} at the {place} is {a_who} in {upper} and {lower}.""".replace(
        "\n", "|"
    ),
    "long": """This picture shows {a_who} who {does}. The outfit consists of {upper} and {lower}. They have {s} on.|The camera captures the moment {a_who} {does}. The top is {upper} , with {lower}.
In view is {a_who} wearing {upper} , {lower} and {s}. It appears the person is {ing}.|The person in the scene has {upper} and {lower} on and is {ing} at the {place}.""".replace(
        "\n", "|"
    ),
}
TEMPLATES = {
    "short": tuple(SHORT.split("|")),
    "medium": tuple(MEDIUM.split("|")),
    "long": tuple(f"{a} {b} {c}" for a in OPEN.split("|") for b in ATTIRE.split("|") for c in ACTION.split("|")),
}
HELD_OUT_TEMPLATES = {style: tuple(text.split("|")) for style, text in HELD.items()}
STYLES = ("short", "medium", "long")  # and "full", which says all there is, as PAB's captions do
