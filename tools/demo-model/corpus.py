# SPDX-License-Identifier: MIT
"""Writes the corpus of the demo model: chats and plain text, from patterns of our own.

A chat is a list of (role, text); a plain document is a text. What is held out is never trained on:
the stories whose hero, friend and plot hash to it, and every other text that is equal to one held
out. The patterns stand in the text files beside this one.
"""
import argparse
import hashlib
import json
import pathlib
import random
import re

HERE = pathlib.Path(__file__).parent

# Every second name is a girl's: the pronouns follow it.
NAMES = """
    Tom Ann Ben Mia Leo Ida Max Eva Sam Zoe Paul Lily Finn Nora Jack Emma Otto Rosa Hugo Clara Tim
    Lucy Oscar Ella Anton Maya Felix Ruby Theo Alma Peter Julia Karl Sofia Mark Lena David Sara Adam
    Olga""".split()
MORE_NAMES = """
    Alex Chris Kim Robin Anna John Maria Michael Linda James Laura Daniel Martin Susan Thomas
    Eric""".split()
KINDS = """
    cat dog mouse fox bear bird owl frog hedgehog rabbit duck goose horse cow pig sheep lion tiger
    wolf penguin elephant monkey turtle snail bee ant spider fish whale dragon robot girl boy witch
    wizard king queen princess prince baker fisherman sailor giant pirate knight squirrel donkey
    goat hen camel crow seal beaver badger mole snake parrot ghost dwarf farmer unicorn kitten puppy
    astronaut""".split()
HE, SHE = "boy wizard king prince".split(), "girl witch queen princess hen cow".split()
COLOURS = "red blue green yellow white black golden brown grey purple orange pink silver".split()
TOYS = "ball kite drum boat bell top flute hat scarf lantern whistle cup puppet wagon book".split()
FRUITS = "apples nuts berries pears plums cherries beans carrots grapes figs".split()
ECHO = ["hello", "hello world", "good morning", "yes", "banana", "Zorac", "I am happy", "please"]
DIGITS = "zero one two three four five six seven eight nine ten".split()
SIZES = "ant bee mouse frog bird duck cat dog sheep pig lion cow horse elephant whale".split()
NO_ARTICLE = """
    bread cheese milk honey tea coffee rain snow ice wind fire music love winter summer Linux
    systemd AWQ quantization""".split()
THE = "sun moon earth sea".split()
# Tables whose rows also make paragraphs, and topics about the program.
FACTS = """
    capital colour sound home young legs opposite month-after day-after month-days how-many what-is
    why""".split()
MANUAL = "real-model service zorac cli sessions config status hardware private".split()
# Made-up words: onset, vowel, coda.
ONSETS = """
    b bl br c ch cl d dr f fl g gl gr h j k kl l m n p pl qu r s sk st t tr v w x z""".split()
VOWELS = "a e i o u ai ea oo y".split()
CODAS = ["", "", "n", "r", "l", "x", "sk", "m", "t"]
# First letter and number of letters of other alphabets, and of pictures.
ALPHABETS = [
    (0x430, 32), (0x430, 32), (0x3b1, 24), (0x4e00, 6000), (0x4e00, 6000), (0x3041, 80),
    (0x30a1, 80), (0xac00, 9000), (0x627, 30), (0x905, 50), (0x5d0, 26), (0xe0, 30),
    (0x1f300, 700), (0x1f600, 60), (0xe01, 40)]


def expand(pattern, slots, rng):
    """One text of a pattern: {a|b} is a choice, $x a slot, a backslash takes the next as it is."""
    out, i = [], 0

    def alternatives(i):
        parts, depth, start = [], 0, i
        while True:
            c = pattern[i]
            if c == "\\":
                i += 1
            elif c == "{":
                depth += 1
            elif c == "}" and depth:
                depth -= 1
            elif c in "|}" and not depth:
                parts.append(pattern[start:i])
                start = i + 1
                if c == "}":
                    return parts, i + 1
            i += 1

    while i < len(pattern):
        c = pattern[i]
        if c == "{":
            parts, i = alternatives(i + 1)
            out.append(expand(rng.choice(parts), slots, rng))
        elif c == "$":
            name = re.match(r"[A-Za-z]+2?", pattern[i + 1:]).group()
            value = slots[name]
            out.append(value() if callable(value) else value)
            i += 1 + len(name)
        elif c == "\\":
            out.append("\n" if pattern[i + 1] == "n" else pattern[i + 1])
            i += 2
        else:
            out.append(c)
            i += 1
    return "".join(out)


def polish(text):
    """Capitals at the head of sentences and for "I", "an" before a vowel, no stray blanks."""
    text = re.sub(r"\bi\b", "I", text)
    text = re.sub(r"\b([Aa]) (?=[aeiou])(?!unicorn|one\b|user|european)", r"\1n ", text)
    text = re.sub(r" +(?=[ ,\n]|$)", "", text).lstrip(" ")
    return re.sub(r"(^|[.!?] |\n|\.\" )([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)


def read_topics(path):
    """[name weight] blocks of > and < lines, tables and follow-ups."""
    topics, topic, part = {}, None, None
    for line in path.read_text().split("\n"):
        if not line or line.startswith("#"):
            continue
        if line[0] == "[":
            name, *weight = line[1:-1].split()
            part = {"ask": [], "say": [], "kind": "main"}
            topic = {"weight": float(weight[0]) if weight else 1.0, "parts": [part], "rows": [{}],
                     "lines": []}
            topics[name] = topic
        elif line[:2] in ("> ", "< "):
            part["ask" if line[0] == ">" else "say"].append(line[2:])
        elif line in ("--", "++"):
            part = {"ask": [], "say": [], "kind": "same" if line == "--" else "other"}
            topic["parts"].append(part)
        elif line.startswith("= "):
            topic["columns"], topic["rows"] = line[2:].split(), []
        elif "columns" in topic and not part["ask"]:
            for row in line.split():
                cells = [c.replace("_", " ") for c in row.split("/")]
                assert len(cells) == len(topic["columns"]), row
                topic["rows"].append(dict(zip(topic["columns"], cells)))
        else:
            topic["lines"].append(line)
    return topics


class Corpus:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        topics = {name: read_topics(HERE / f"{name}.txt")
                  for name in ("dialogues", "unknown", "made", "stories")}
        self.topics, self.made = topics["dialogues"], topics["made"]
        self.weights = [t["weight"] for t in self.topics.values()]
        self.terms = topics["unknown"].pop("terms")["lines"][0].split(";")
        self.persons = topics["unknown"].pop("persons")["lines"][0].split(";")
        self.unknown = list(topics["unknown"].values())
        self.plots = {name: " ".join(t["lines"]) for name, t in topics["stories"].items()}
        for row in self.topics["what-is"]["rows"]:
            thing = row["thing"]
            article = "" if thing in NO_ARTICLE else "the " if thing in THE else "a "
            row["DEF"] = article + thing
        # How a topic is drawn, and how often.
        self.kinds = {self.topic: 100, self.dont_know: 42, self.sum: 22, self.story: 16,
                      self.compare: 5, self.name: 5, self.foreign: 4, self.paste: 4, self.echo: 3,
                      self.after: 6}

    # -- words -----------------------------------------------------------------------------------

    def word(self):
        """A word that does not exist, so that the model learns what it does not know."""
        rng = self.rng
        return "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS)
                       for _ in range(rng.randint(2, 4)))

    def junk(self):
        return "".join(self.rng.choice("abcdefghijklmnopqrstuvwxyz0123456789;,.#+")
                       for _ in range(self.rng.randint(2, 9)))

    def number(self):
        """A number with two to four digits: too big for the model's sums."""
        return str(self.rng.randint(11, self.rng.choice([99, 999, 9999])))

    def fill(self, pattern, /, **slots):
        words = {"word": self.word, "junk": self.junk, "n": self.number,
                 "term": lambda: self.rng.choice(self.terms),
                 "person": lambda: self.rng.choice(self.persons)}
        return expand(pattern, {**words, **slots}, self.rng)

    def say(self, part, /, **slots):
        """One (question, answer) of a part of a topic; either may have no pattern."""
        return tuple(polish(self.fill(self.rng.choice(part[side]), **slots)) if part[side] else None
                     for side in ("ask", "say"))

    def make(self, name, /, **slots):
        return self.say(self.made[name]["parts"][0], **slots)

    # -- stories ---------------------------------------------------------------------------------

    def hero(self, suffix="", kind=None):
        kind = kind or self.rng.choice(KINDS)
        index = self.rng.randrange(len(NAMES))
        if kind in HE or kind in SHE:
            index = index // 2 * 2 + (kind in SHE)
        he = ("he him his" if index % 2 == 0 else "she her her").split()
        keys = [k + suffix for k in ("name", "kind", "he", "him", "his")]
        return dict(zip(keys, [NAMES[index], kind, *he]))

    def tale(self, held_out=False, kind=None):
        """A story; whether it is held out depends on who meets whom in what plot."""
        rng = self.rng
        while True:
            # The hero of one plot is a daemon, so it can not be about an animal asked for.
            plot = rng.choice([p for p in self.plots if not (kind and p == "machine")])
            slots = {**self.hero("", kind), **self.hero("2"), "colour": rng.choice(COLOURS),
                     "toy": rng.choice(TOYS), "fruits": rng.choice(FRUITS)}
            key = " ".join((slots["name"], slots["kind"], slots["name2"], slots["kind2"], plot))
            out = hashlib.sha256(key.encode()).digest()[0] < 8
            if (slots["name"] != slots["name2"] and slots["kind"] != slots["kind2"]
                    and out == held_out):
                return polish(self.fill(self.plots[plot], **slots))

    # -- exchanges: each returns a list of (question, answer) ------------------------------------

    def topic(self, name=None):
        rng = self.rng
        topic = self.topics[name or rng.choices(list(self.topics), self.weights)[0]]
        main, *more = topic["parts"]
        row = rng.choice(topic["rows"])
        out = [self.say(main, **row)]
        while more and rng.random() < 0.35:
            part = rng.choice(more)
            if part["kind"] == "other":
                row = rng.choice(topic["rows"])
            out.append(self.say(part, **row))
        return out

    def dont_know(self):
        topic = self.rng.choices(self.unknown, [t["weight"] for t in self.unknown])[0]
        ask, say = self.say(topic["parts"][0])
        return [(ask, say or self.make("dont-know")[1])]

    def sum(self):
        rng, out = self.rng, []
        for turn in range(1 + (rng.random() < 0.25)):
            sign = rng.choices("+-*/", [5, 4, 3, 1])[0]
            a, b = rng.randint(0, 10), rng.randint(0, 10)
            if sign == "/":
                b = max(b, 1)
                a *= b
            elif sign == "-" and a < b and rng.random() < 0.8:
                a, b = b, a
            value = {"+": a + b, "-": a - b, "*": a * b, "/": a // max(b, 1)}[sign]
            op = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}[sign]
            spell = str
            if rng.random() < 0.25 and max(a, b, abs(value)) <= 10:
                spell = DIGITS.__getitem__
            result = "minus " * (value < 0) + spell(abs(value))
            a, b = spell(a), spell(b)
            text = rng.choice([f"{a}{sign}{b}", f"{a} {sign} {b}", *[f"{a} {op} {b}"] * 2])
            how = "sum-more" if turn else "sum-of" if sign == "+" and rng.random() < 0.15 else "sum"
            out.append(self.make(how, sum=text, a=a, b=b, op=op, result=result))
        return out

    def compare(self):
        kind, values = self.rng.choice([("animal", SIZES), ("number", range(11))])
        a, b = self.rng.sample(values, 2)
        small, big = sorted((a, b), key=values.index)
        more = self.rng.choice(["bigger", "bigger", "smaller"])
        return [self.make(f"{kind}-{more}", a=str(a), b=str(b), small=str(small), big=str(big))]

    def after(self):
        """What comes after or before a letter or a number."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        numbers = [str(i) for i in range(21)]
        kind, values = self.rng.choice([("letter", letters), ("number", numbers)])
        i = self.rng.randrange(1, len(values) - 1)
        how, step = self.rng.choice([("after", 1), ("after", 1), ("before", -1)])
        return [self.make(f"{kind}-{how}", a=values[i], b=values[i + step])]

    def story(self):
        rng = self.rng
        kind = rng.choice(KINDS) if rng.random() < 0.45 else None
        ask = self.make("story-about", kind=kind) if kind else self.make("story")
        out = [(ask[0], self.tale(kind=kind))]
        while rng.random() < 0.3:
            if rng.random() < 0.6:
                out.append((self.make("story-more")[0], self.tale()))
            else:
                out.append(self.make("story-nice"))
        return out

    def name(self):
        rng = self.rng
        if rng.random() < 0.25:
            return [self.make("name-unknown")]
        name = rng.choice(NAMES + MORE_NAMES)
        out = [self.make("name-told", name=name)]
        if rng.random() < 0.4:
            topics = ["thanks", "capital", "opposite", "ok", "joke", "how-are-you"]
            out += self.topic(rng.choice(topics))[:1]
        if rng.random() < 0.6:
            out.append(self.make("name-asked", name=name))
        return out

    def echo(self):
        words = [*KINDS, *COLOURS, *TOYS, *ECHO, self.word()]
        return [self.make("echo", text=self.rng.choice(words))]

    def foreign(self):
        """Letters of other alphabets, so that every byte is met in training."""
        rng = self.rng
        first, count = rng.choice(ALPHABETS)
        text = rng.choice([" ", " ", ""]).join(
            "".join(chr(first + rng.randrange(count)) for _ in range(rng.randint(1, 7)))
            for _ in range(rng.randint(1, 5)))
        return [self.make("foreign", text=text)]

    def paste(self):
        """A long text to read, as when somebody pipes a file through the client."""
        rng = self.rng
        kind, least, most, glue = rng.choice([
            ("tale", 1, 2, "\n\n"), ("log", 2, 7, "\n"), ("code", 2, 12, "\n"),
            ("words", 20, 70, " ")])
        text = glue.join(self.tale() if kind == "tale" else
                         self.fill(rng.choice(self.made["paste-" + kind]["parts"][0]["ask"]))
                         for _ in range(rng.randint(least, most)))
        ask, say = self.make("paste")
        return [(rng.choice([f"{ask}\n\n{text}", f"{text}\n\n{ask}", f"{ask} {text}"]), say)]

    # -- documents ---------------------------------------------------------------------------------

    def mistype(self, text):
        """As people write: no capitals, no points, a slip of the finger."""
        rng = self.rng
        if len(text) > 120:
            return text
        if rng.random() < 0.6:
            text = text.lower()
        if rng.random() < 0.3:
            text = text.rstrip("?.!")
        if rng.random() < 0.12 and len(text) > 5:
            i = rng.randrange(1, len(text) - 1)
            text = rng.choice([text[:i] + text[i + 1:], text[:i] + text[i] + text[i:],
                               text[:i] + text[i + 1] + text[i] + text[i + 2:],
                               text[:i] + rng.choice("aeioutnrs") + text[i + 1:]])
        if rng.random() < 0.05:
            text = rng.choice(["hi, ", "hello, ", "hey, ", "ok, ", "so, ", "please "]) + text
        if rng.random() < 0.04:
            text += rng.choice([" please", ", please", "??", " thanks", "!!", "\n", " ", "...",
                                " :)", " 🙂", " 👋", "!"])
        if rng.random() < 0.02:
            text = text.upper()
        return text

    def chat(self):
        rng = self.rng
        messages, turns = [], []
        if rng.random() < 0.3:
            system = [self.make("system")[0]]
            while rng.random() < 0.25:
                system.append(self.make("system")[0])
            messages.append(("system", " ".join(system)))
        if rng.random() < 0.2:
            turns += self.topic("greet")
        long = rng.random() < 0.015
        for _ in range(rng.randint(8, 14) if long else rng.choice([1, 1, 1, 1, 2, 2, 3, 4])):
            turns += rng.choices(list(self.kinds), list(self.kinds.values()))[0]()
            if rng.random() < 0.03 and len(turns[-1][1]) < 200:
                turns.append(self.make("repeat", text=turns[-1][1]))
        if len(turns) > 1 and rng.random() < 0.3:
            turns += self.topic(rng.choice(["thanks", "bye"]))
        for ask, say in turns:
            messages += [("user", self.mistype(ask)), ("assistant", say)]
        return messages

    def facts(self):
        """A paragraph of sentences that the dialogues say, too."""
        topic = self.topics[self.rng.choice(FACTS)]
        pattern = topic["parts"][0]["say"][0]
        if pattern.startswith("{"):
            pattern = pattern[1:].split("|")[0]
        rows = self.rng.sample(topic["rows"], self.rng.randint(3, 7))
        return " ".join(polish(self.fill(pattern, **row)) for row in rows)

    def manual(self):
        """What the dialogues say about the program, as a paragraph."""
        names = self.rng.sample(MANUAL, self.rng.randint(2, 4))
        return " ".join(self.say(self.topics[n]["parts"][0])[1] for n in names)

    def transcript(self):
        return "\n".join(f"{'Question' if role == 'user' else 'Answer'}: {text.strip()}"
                         for role, text in self.chat() if role != "system")

    def plain(self, held_out=False):
        parts = []
        for _ in range(self.rng.choice([1, 1, 2, 2, 3, 4])):
            kind = self.rng.choices([self.tale, self.facts, self.manual, self.transcript],
                                    [6, 2, 1, 2])[0]
            parts.append(kind(held_out) if kind == self.tale else kind())
        return "\n\n".join(parts)


def build(chats, plains, seed=1):
    """Training documents, and what is held out of them: chats and plain texts."""
    corpus = Corpus(seed)
    held_chats = [corpus.chat() for _ in range(200)]
    held_plain, size = [], 0
    while size < 30000:
        held_plain.append(corpus.plain(held_out=True))
        size += len(held_plain[-1].encode()) + 2
    # Chats as short as "hi" and its answer can not be kept apart; whole documents are.
    keep = {json.dumps(d) for d in held_chats + held_plain}
    docs = [corpus.chat() for _ in range(chats)] + [corpus.plain() for _ in range(plains)]
    docs = [d for d in docs if json.dumps(d) not in keep]
    corpus.rng.shuffle(docs)
    return docs, held_chats, held_plain


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Show some of the corpus.")
    parser.add_argument("-n", type=int, default=10)
    args = parser.parse_args()
    for doc in build(args.n, args.n // 2)[0]:
        print(doc if isinstance(doc, str) else "\n".join(f"{r}: {t}" for r, t in doc), end="\n\n")
