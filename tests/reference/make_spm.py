#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""SentencePiece as the reference: trains small models with every option that changes what a text
becomes, and says what ids and decodings they give. Not part of the build; what the tests read is
committed:
    python3 tests/reference/make_spm.py > tests/unit/text_spm_vectors.json
With a built zorac-inspect it compares that many random texts per model, of these and of any
other models named, and prints what differs:
    python3 tests/reference/make_spm.py --diff build/zoracd/tools/zorac-inspect 2000 [MODEL...]
Needs PyPI's sentencepiece."""
import io
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import sentencepiece

# What the models are trained on, and what the random texts are made of.
WORDS = """the cat sat on the mat and the dog ate the cake that was on the table while nobody said
anything about the weather in the morning of the last day of an unusually warm winter thinking
of things that are neither here nor there""".split()
ODD = ["é", "e\u0301", "中文字", "ﬁ", "①", "Ⅳ", "㌔", "\u3000", "\u00a0", "\t", "\n", "\n\n", "  ",
       "    ", " ", "▁", "▁▁", "\ufffd", "\u200b", "\ufeff", "😀", "👩\u200d👩", "<s>", "</s>", "<unk>",
       "<0x41>", "<mark>", "<two words>", "ab", "abc", "bc", "İ", "ſ", "한글", "\u1112\u1161\u11ab",
       "A", "Z", "0", "12", "345", ".", ",", "!?", "'s", "\x00", "\x7f", "ا\u064eب", "กำ"]
RULES = "41\t61\n5A\t7A 7A\n20 20\t20\n2460\t31\nFB01\t66 69\n3000\t20\n200B\t\n65 301\tE9\n61 62 63\t78\n"

OPTIONS = {
    "plain": dict(normalization_rule_name="identity"),
    "llama": dict(normalization_rule_name="identity", byte_fallback=True,
                  remove_extra_whitespaces=False),
    "gemma": dict(normalization_rule_name="identity", byte_fallback=True,
                  remove_extra_whitespaces=False, add_dummy_prefix=False,
                  user_defined_symbols=["▁▁", "▁▁▁▁", "<mark>", "\n\n", "ab", "bc"]),
    "rules": dict(rules=True, byte_fallback=True, user_defined_symbols=["<two words>", "abc"]),
    "rules_bare": dict(rules=True, remove_extra_whitespaces=False, add_dummy_prefix=False),
    "suffix": dict(normalization_rule_name="identity", treat_whitespace_as_suffix=True),
    "unescaped": dict(normalization_rule_name="identity", unescaped=True, unk_surface="?",
                      bos_piece="<begin>", control_symbols=["<ctl>"]),
}
LARGE = {name: dict(normalization_rule_name=name) for name in ("nmt_nfkc", "nmt_nfkc_cf", "nfkc")}


def corpus():
    rng = random.Random(4)
    for _ in range(400):
        line = [rng.choice(WORDS) for _ in range(rng.randint(1, 12))]
        yield " ".join(line).capitalize() + rng.choice([".", "!", "?", ""])


def train(options):
    options = dict(options)
    out, rules = io.BytesIO(), None
    unescaped = options.pop("unescaped", False)
    if options.pop("rules", False):
        rules = tempfile.NamedTemporaryFile("w", suffix=".tsv")
        rules.write(RULES)
        rules.flush()
        options["normalization_rule_tsv"] = rules.name
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=corpus(), model_writer=out, model_type="bpe", minloglevel=2,
        vocab_size=400 if options.get("byte_fallback") else 140, character_coverage=1.0,
        num_threads=1, hard_vocab_limit=False, **options)
    model = out.getvalue()
    # The trainer always escapes; the switch is field 5 of the normalizer (field 3), and fields of
    # one message may stand apart.
    return model + b"\x1a\x02\x28\x00" if unescaped else model


def texts(rng, n):
    yield from ["", " ", "  ", "a", " a", "a ", "  the  cat ", *ODD]
    yield from [a + b for a in (" ", "the", "  ") for b in ODD]
    for _ in range(n):
        parts = [rng.choice(rng.choice([WORDS, ODD, [" "]])) for _ in range(rng.randint(1, 9))]
        yield rng.choice(["", " "]).join(parts)


def ids_of_nothing(rng, size, n):
    """Ids that no text gives: bytes out of order, control pieces between."""
    for _ in range(n):
        yield [rng.randrange(min(size, rng.choice([5, 300, size]))) for _ in range(rng.randint(1, 8))]


def rows(sp, rng, n):
    for text in texts(rng, n):
        ids = sp.encode(text)
        yield {"text": text, "ids": ids, "dec": sp.decode(ids)}
    for data in [b"a\xffb", b"\xe4\xb8", b"\xc0\x80 x", b"\xed\xa0\x80", b"the \xf0\x9f\x98 cat"]:
        yield {"hex": data.hex(), "ids": sp.encode(data)}
    for ids in ids_of_nothing(rng, sp.get_piece_size(), n // 4):
        yield {"ids": ids, "dec": sp.decode(ids)}


def ask(inspect, verb, path, lines):
    run = subprocess.run([inspect, *verb, path], input="\n".join(map(json.dumps, lines)) + "\n",
                         capture_output=True, text=True)
    return [json.loads(line) for line in run.stdout.split("\n")[:-1]] or [run.stderr]


def diff(inspect, n, models):
    bad = 0
    for name, model in models.items():
        sp = sentencepiece.SentencePieceProcessor(model_proto=model)
        want = list(rows(sp, random.Random(len(name)), n))
        with tempfile.NamedTemporaryFile(suffix=".model") as f:
            f.write(model)
            f.flush()
            given = [r for r in want if "text" in r or "hex" in r]
            got = ask(inspect, ["tokenize"], f.name, [{k: r[k] for k in r if k in ("text", "hex")}
                                                     for r in given])
            back = [r for r in want if "dec" in r]
            texts_got = ask(inspect, ["detokenize"], f.name,
                            [{"ids": r["ids"]} for r in back])
        wrong = [(w, g) for w, g in zip(given, got) if not isinstance(g, dict) or g.get("ids") != w["ids"]]
        wrong += [(w, g) for w, g in zip(back, texts_got)
                  if not isinstance(g, dict) or g.get("text") != w["dec"]]
        for w, g in wrong[:5]:
            print(name, json.dumps(w, ensure_ascii=False), g)
        wrong += [None] * (len(given) != len(got)) + [None] * (len(back) != len(texts_got))
        print(f"{name}: {len(given)} texts, {len(back)} decodings, {len(wrong)} differ")
        bad += len(wrong)
    return bad


def main():
    if sys.argv[1:2] == ["--diff"]:
        models = {k: train(v) for k, v in {**OPTIONS, **LARGE}.items()}
        models |= {p: pathlib.Path(p).read_bytes() for p in sys.argv[4:]}
        sys.exit(diff(sys.argv[2], int(sys.argv[3]), models) != 0)
    cases = []
    for name, options in OPTIONS.items():
        model = train(options)
        sp = sentencepiece.SentencePieceProcessor(model_proto=model)
        cases.append({"name": name, "model": model.hex(), "rows": list(rows(sp, random.Random(1), 40))})
    print("[" + ",\n".join(json.dumps(c, ensure_ascii=True, separators=(",", ":")) for c in cases) + "]")


main()
