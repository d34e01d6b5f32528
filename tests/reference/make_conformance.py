#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the reference implementations make of random nasty texts with real tokenizer files: ids, the
text of ids (also of ids that no text gives), the chunks of a stream. Written as data of the form
that tests/conformance/t_tokens reads:
    python3 tests/reference/make_conformance.py OUT SEED TEXTS FILE...
    ZORAC_CONFORMANCE=OUT build/tests/conformance/t_tokens -v NAME...
FILE is NAME.tokenizer.json, NAME.model or NAME.reconstructed.json (tekken.json), or any of them
with .gz. Needs PyPI's tokenizers, sentencepiece and tiktoken."""
import base64
import gzip
import json
import pathlib
import random
import sys
import unicodedata

import sentencepiece
import tiktoken
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

SPACES = [" ", "  ", "   ", " " * 17, "\t", "\t\t", "\n", "\n\n", "\r\n", "\r", "\r\n\r\n", "\v", "\f", "\u00a0", "\u1680",
          "\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u0085", "\u200b", "\ufeff", " \n", "\n ", "\t\n ", " \u00a0 "]
MARKS = ["\u0301", "\u0308", "\u0327", "\u0323\u0307", "\u0345", "\u064b\u0651", "\u093c", "\u0e31", "\u20dd", "\ufe0f", "\u200d",
         "\u1ab0", "\u302a", "\U0001d165", "\u0f71\u0f72", "\u05b0\u05bc"]
FORMS = ["ﬁ", "①", "½", "Ⅳ", "ẛ\u0323", "가", "각", "\u1100\u1161\u11a8", "\u212b", "\u2126", "\u1e9b", "\u01c4", "㎏", "Ａ", "ｶﾞ", "\u0344",
         "\u0958", "\u2adc", "\U0002f800", "\ufb1d", "\u0340", "\u037e", "\u1fef", "\u2000", "İ", "ß", "ẞ", "ſ", "Σς", "ŉ", "ǆ", "Ⱥ"]
EMOJI = ["😀", "👩\u200d👩\u200d👧", "🏳️\u200d🌈", "👍🏽", "🇩🇪", "1️⃣", "❤️", "\U000e0067", "🫠", "☠️\u200d"]
CODE = ["def f(x):\n    return x**2  # é", "for (int i=0;i<n;++i)\n\t{\n\t\ta[i] = 0x1F;\n\t}", "SELECT * FROM t WHERE a!='b';",
        "<div class=\"x\">&amp;</div>", "#!/bin/sh\nset -eu\n\techo \"$@\" >&2", "a->b::c<D>&&e", "\\frac{1}{2}$$", "{{\"a\": [1,2.5e-3,null]}}",
        "https://example.org/a_b?c=d%20e#f", "foo_barBaz42QUX", "====", "--------", "/* * */", "''\"\"``", "...!!!???", "\\n\\t"]
WORDS = ["the", " the", "Don't", "we'LL", "I'm", "y'all'd've", "'s", "'S", " 're", "naïve", "ÉCOLE", "Straße", "hello", "HELLO", "camelCase",
         "中文字符", "日本語のテキスト", "한국어", "Привет", "Ελληνικά", "العربية", "עברית", "हिन्दी", "ไทยภาษา", "ქართული", "አማርኛ", "မြန်မာ", "ខ្មែរ",
         "Tiếng Việt", "ꦗꦮ", "\U00010400\U00010428", "\U0001f1e6", "\U00020000", "x" * 40, "ab" * 30, "_", "__init__", "e.g.", "U.S.A."]


def character(rng):
    """Of any plane; of what no Unicode 14 has, libraries think as their tables do."""
    plane = rng.choice([0x80, 0x250, 0x800, 0x3000, 0xA000, 0xD7FF, 0x1F000, 0x20000, 0x30000, 0x10FFFF])
    while True:
        c = rng.randrange(plane)
        if unicodedata.category(chr(c)) not in ("Cs", "Cn") and c != 0xFFFD:
            return chr(c)


def number(rng):
    return rng.choice(["", "-", "0x", "$", "٣", "½"]) + "".join(rng.choices("0123456789", k=rng.choice([1, 2, 3, 4, 5, 7, 12, 30]))) + rng.choice(
        ["", ".5", ",000", "%", "e10", "²", "٣٤", "th"])


def text(rng, markup):
    kinds = [lambda: rng.choice(SPACES), lambda: rng.choice(WORDS), lambda: rng.choice(WORDS), lambda: rng.choice("aeiouxyzNO") + rng.choice(MARKS),
             lambda: rng.choice(FORMS), lambda: rng.choice(EMOJI), lambda: rng.choice(CODE), lambda: number(rng), lambda: character(rng),
             lambda: "".join(character(rng) for _ in range(rng.randint(2, 6))), lambda: rng.choice(markup), lambda: rng.choice(SPACES),
             lambda: rng.choice(["▁", "▁▁", "<0x0A>", "Ġ", "Ċ", "\x00", "\x7f", "\x1b[0m", "<|", "|>", "</", ">"])]
    if rng.random() < 0.05:
        return rng.choice([*SPACES, *WORDS, *FORMS, *EMOJI, *CODE, *markup])
    if rng.random() < 0.05:
        return rng.choice([*SPACES, *WORDS, *MARKS]) * rng.choice([50, 255, 1000])
    some = rng.sample(kinds, rng.choice([1, 2, 4, len(kinds)]))
    return rng.choice(["", "", " "]).join(rng.choice(some)() for _ in range(rng.randint(1, 14)))


def dump(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)


def lists_of_nothing(rng, size, special, n):
    """Ids that no text gives."""
    for _ in range(n):
        top = rng.choice([size, size, 1000, 300])
        yield [rng.choice(special) if special and rng.random() < 0.2 else rng.randrange(min(top, size)) for _ in range(rng.randint(1, 9))]


def chunks(reference, ids, skip):
    stream = DecodeStream(skip_special_tokens=skip)
    return [stream.step(reference, i) for i in ids]


def rows_hf(spec, texts, rng):
    reference = Tokenizer.from_str(spec.decode())
    special = [i for i, t in reference.get_added_tokens_decoder().items()]
    around = reference.encode("").ids
    tokens = [{"meta": {"add_special_prefix": around, "add_special_suffix": []}}]
    streams = [{"meta": {"skip_special_tokens": True}}]
    for name, t in texts:
        ids = reference.encode(t, add_special_tokens=False).ids
        tokens.append({"id": name, "ids": ids, "dec": reference.decode(ids, skip_special_tokens=False),
                       "dec_skip": reference.decode(ids, skip_special_tokens=True)})
        if len(ids) < 300:
            streams.append({"id": name, "ids": ids, "chunks": chunks(reference, ids, True)})
    for i, ids in enumerate(lists_of_nothing(rng, reference.get_vocab_size(), special, len(texts))):
        tokens.append({"id": f"ids{i}", "ids": ids, "dec": reference.decode(ids, skip_special_tokens=False),
                       "dec_skip": reference.decode(ids, skip_special_tokens=True)})
    return {"tokens/hf": tokens, "stream/hf": streams}


def rows_spm(model, texts, rng):
    sp = sentencepiece.SentencePieceProcessor(model_proto=model)
    rows = [{"id": name, "ids": sp.encode(t), "dec": sp.decode(sp.encode(t))} for name, t in texts]
    for i, ids in enumerate(lists_of_nothing(rng, sp.get_piece_size(), [1, 2, 0, 3], len(texts))):
        rows.append({"id": f"ids{i}", "ids": ids, "dec": sp.decode(ids)})
    return {"tokens/spm": rows}


def rows_tekken(spec, texts, rng):
    tekken = json.loads(spec)
    config = tekken["config"]
    n = config["default_num_special_tokens"]
    ranks = {base64.b64decode(t["token_bytes"]): t["rank"] for t in tekken["vocab"][: config["default_vocab_size"] - n]}
    reference = tiktoken.Encoding(name="tekken", pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={})
    rows = []
    for name, t in texts:
        ids = reference.encode_ordinary(t)
        rows.append({"id": name, "ids": [i + n for i in ids], "dec": reference.decode(ids)})
    for i, ids in enumerate(lists_of_nothing(rng, len(ranks), [], len(texts))):
        rows.append({"id": f"ids{i}", "ids": [i + n for i in ids], "dec": reference.decode(ids)})
    return {"tokens/tiktoken": rows}


def main():
    out, seed, n = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    corpus = []
    for file in sys.argv[4:]:
        data = pathlib.Path(file).read_bytes()
        name = pathlib.Path(file).name
        if name.endswith(".gz"):
            data, name = gzip.decompress(data), name[:-3]
        (out / "tokenizers").mkdir(parents=True, exist_ok=True)
        (out / "tokenizers" / name).write_bytes(data)
        kind = next(k for k in (".tokenizer.json", ".model", ".reconstructed.json") if name.endswith(k))
        name = name.removesuffix(kind)
        rng = random.Random(seed + name)
        markup = ["<s>", "</s>", "<unk>", "[INST]"]
        if kind == ".tokenizer.json":
            markup += [t["content"] for t in json.loads(data)["added_tokens"]][:200]
        texts = [(f"{name} {i}", text(rng, markup)) for i in range(n)]
        corpus += [{"id": i, "text": t} for i, t in texts]
        rows = {".tokenizer.json": rows_hf, ".model": rows_spm, ".reconstructed.json": rows_tekken}[kind](data, texts, rng)
        for where, some in rows.items():
            dump(out / "expected/open" / f"{where}_{name}.jsonl", some)
    dump(out / "fixtures/corpus.open.jsonl", corpus)


main()
