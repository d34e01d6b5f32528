#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random tokenizer.json files, made of every kind of normalizer, pre-tokenizer, model option, added
token, post-processor and decoder, and what Hugging Face's `tokenizers` makes of random texts with
them: ids, and the text of ids. Prints what zorac-inspect says otherwise; a file that it refuses by
name is counted, not compared.
    python3 tests/reference/diff_tokenizers.py build/zoracd/tools/zorac-inspect FILES [SEED]
Needs PyPI's tokenizers."""
import collections
import json
import random
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

ODD = ["é", "e\u0301", "中文", "ﬁ", "①", "\u3000", "\u00a0", "\t", "\n", "\r\n", "  ", "    ", " ", "▁", "▁▁",
       "\ufffd", "\u200b", "😀", "👩\u200d👩", "<s>", "</s>", "<unk>", "<0x41>", "<mark>", "<Mark>", " <mark>",
       "<mark> ", "x<word>y", "<word>", "İ", "ſ", "한글", "\u1112\u1161\u11ab", "A", "Zz", "0", "12", "345", ".",
       ",", "!?", "'s", "'S", "$+", "\x00", "\x7f", "ا\u064eب", "กำ", "½", "Ⅳ", "_", "a-b", "ÄÖ", "\u0345", "\u0085",
       "\u2028", "~", "`^", "—", "«»", "\u0130", "Σς", "ǆ", "ẛ\u0323", "가", "\u0344"]
WORDS = "the cat that sat thing ing banana naïve Don't we'll x1y2 foo_bar".split()
SPLITS = [{"String": " "}, {"String": "a"}, {"String": "▁"}, {"String": "  "}, {"Regex": "\\s+"}, {"Regex": "\\d{1,3}"},
          {"Regex": "[^\\s]+|\\s+"}, {"Regex": "\\p{N}"}, {"Regex": "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\s+(?!\\S)|\\s"},
          {"Regex": "[一-龥ぁ-ゟ]+"}, {"Regex": "a|th"}, {"Regex": "\\p{Lu}"}]


def byte_chars():
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    extra = iter(range(0x100, 0x200))
    return [chr(b) if b in plain else chr(next(extra)) for b in range(256)]


def maybe(rng, p, value):
    return value if rng.random() < p else None


def normalizer(rng, depth=0):
    kind = rng.choice(["NFC", "NFD", "NFKC", "NFKD", "Replace", "Replace", "Prepend", "Strip", "Sequence", "Sequence"]
                      if depth < 2 else ["NFC", "Replace"])
    if rng.random() < 0.02:
        kind = rng.choice(["Lowercase", "StripAccents", "Nmt"])
    return {"Replace": {"type": "Replace", "pattern": rng.choice(SPLITS), "content": rng.choice(["", "▁", "xy", " "])},
            "Prepend": {"type": "Prepend", "prepend": rng.choice(["▁", "ab"])},
            "Strip": {"type": "Strip", "strip_left": rng.random() < 0.7, "strip_right": rng.random() < 0.7},
            "Sequence": {"type": "Sequence", "normalizers": [normalizer(rng, depth + 1) for _ in range(rng.randint(0, 3))]
                         if kind == "Sequence" else []}}.get(kind, {"type": kind})


def pre_tokenizer(rng, depth=0):
    kind = rng.choice(["ByteLevel", "Split", "Split", "Metaspace", "Digits", "Punctuation", "WhitespaceSplit",
                       "Sequence", "Sequence"] if depth < 2 else ["ByteLevel", "Split", "Digits"])
    if rng.random() < 0.02:
        kind = rng.choice(["Whitespace", "BertPreTokenizer"])
    flag = lambda p=0.5: rng.random() < p
    behavior = rng.choice(["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"])
    scheme = rng.choice(["always", "first", "never"])
    return {"ByteLevel": {"type": "ByteLevel", "add_prefix_space": flag(), "trim_offsets": flag(), "use_regex": flag()},
            "Split": {"type": "Split", "pattern": rng.choice(SPLITS), "behavior": behavior, "invert": flag(0.3)},
            "Metaspace": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": flag()},
            "Digits": {"type": "Digits", "individual_digits": flag()},
            "Punctuation": {"type": "Punctuation", "behavior": behavior},
            "Sequence": {"type": "Sequence", "pretokenizers": [pre_tokenizer(rng, depth + 1) for _ in range(rng.randint(0, 3))]
                         if kind == "Sequence" else []}}.get(kind, {"type": kind})


def model(rng):
    alphabet = ["<unk>", *byte_chars(), "▁", "中", "文", "é", "ﬁ", "가", "\n", "\t", " "]
    if rng.random() < 0.4:
        alphabet += ["<0x%02X>" % b for b in range(256 if rng.random() < 0.8 else 200)]
    words = rng.sample(["the", "that", "Ġthe", "Ġthat", "thing", "ing", "▁the", "▁that", "▁▁", "▁▁▁▁", "ĠĠ", "ĊĊ", "Ã©", "ä¸Ń",
                        "12", "123", "aa", "ban", "nana", "中文", "at", "xy", "'s"], 14)
    suffix, prefix = maybe(rng, 0.15, rng.choice(["</w>", "@"])), maybe(rng, 0.01, "##")
    vocab, merges = list(dict.fromkeys(alphabet)), []
    if suffix:
        vocab += [c + suffix for c in "abehnt中é"]
    for word in words:
        for n in range(2, len(word) + 1):
            if word[:n] not in vocab and word[n - 1] in vocab:
                vocab.append(word[:n])
                merges.append([word[: n - 1], word[n - 1]])
    return {"type": "BPE", "dropout": maybe(rng, 0.01, 0.1), "unk_token": maybe(rng, 0.7, "<unk>"),
            "continuing_subword_prefix": prefix, "end_of_word_suffix": suffix, "fuse_unk": rng.random() < 0.5,
            "byte_fallback": rng.random() < 0.5, "ignore_merges": rng.random() < 0.3,
            "vocab": {t: i for i, t in enumerate(vocab)}, "merges": merges}


def added(rng):
    names = rng.sample(["<s>", "</s>", "<mark>", "<word>", "<Mark>", "  ", "th", "É", "é", "a b", "\n\n", "<unk>"], rng.randint(0, 6))
    tokens = [{"id": i, "content": c, "special": rng.random() < 0.5,
               **{k: rng.random() < 0.25 for k in ("single_word", "lstrip", "rstrip", "normalized")}}
              for i, c in enumerate(names)]
    # In decoding the reference takes a token for special by its normalized text: what is special is
    # not normalized here, and no normalized one becomes two spaces.
    return [{**t, "special": t["special"] and t["content"] != "  ",
             "normalized": t["normalized"] and not t["special"]} for t in tokens]


def post(rng, tokens):
    kind = rng.choice(["ByteLevel", "TemplateProcessing", "TemplateProcessing", "Sequence", None])
    if kind == "TemplateProcessing":
        single = [{"Sequence": {"id": "A", "type_id": 0}}]
        for t in rng.sample(tokens, min(len(tokens), rng.randint(0, 2))):
            single.insert(rng.choice([0, len(single)]), {"SpecialToken": {"id": t, "type_id": 0}})
        return {"type": kind, "single": single, "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {t: {"id": t, "ids": [7 + len(t)], "tokens": [t]} for t in tokens}}
    if kind == "Sequence":
        parts = [p for p in (post(rng, tokens) for _ in range(2)) if p]
        if sum("Template" in json.dumps(p) for p in parts) > 1:  # the reference aborts
            parts = parts[:1]
        return {"type": kind, "processors": parts}
    return kind and {"type": kind, "add_prefix_space": True, "trim_offsets": rng.random() < 0.5, "use_regex": True}


def decoder(rng):
    kind = rng.choice(["ByteLevel", "Metaspace", "Sequence", "Sequence", "Sequence", "Fuse", "ByteFallback", None])
    if rng.random() < 0.02:
        kind = rng.choice(["BPEDecoder", "WordPiece"])
    if kind == "Sequence":
        steps = [{"type": "Replace", "pattern": {"String": rng.choice(["▁", "a"])}, "content": rng.choice([" ", ""])},
                 {"type": "ByteFallback"}, {"type": "Fuse"},
                 {"type": "Strip", "content": " ", "start": rng.choice([0, 1, 2]), "stop": rng.choice([0, 0, 0, 1])}]
        steps = [s for s in steps if rng.random() < 0.85]
        return {"type": kind, "decoders": steps if rng.random() < 0.9 else steps[::-1]}
    return kind and {"ByteLevel": {"type": kind, "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
                     "Metaspace": {"type": kind, "replacement": "▁", "split": True,
                                   "prepend_scheme": rng.choice(["always", "first", "never"])},
                     "BPEDecoder": {"type": kind, "suffix": "</w>"},
                     "WordPiece": {"type": kind, "prefix": "##", "cleanup": True}}.get(kind, {"type": kind})


def tokenizer(rng):
    tokens = added(rng)
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens,
            "normalizer": maybe(rng, 0.6, normalizer(rng)), "pre_tokenizer": maybe(rng, 0.85, pre_tokenizer(rng)),
            "post_processor": post(rng, [t["content"] for t in tokens]), "decoder": decoder(rng), "model": model(rng)}


def texts(rng):
    yield from ["", " ", "a", " a", "the cat", "  the  cat "]
    for _ in range(40):
        parts = [rng.choice(rng.choice([WORDS, ODD, ODD, [" "]])) for _ in range(rng.randint(1, 8))]
        yield rng.choice(["", "", " "]).join(parts)


def ask(inspect, args, path, lines):
    run = subprocess.run([inspect, *args, path], input="".join(json.dumps(x) + "\n" for x in lines),
                         capture_output=True, text=True)
    return [json.loads(line) for line in run.stdout.split("\n")[:-1]], run.stderr.strip()


def compare(inspect, spec, rng):
    """What differs, or why the file is not compared."""
    given = list(texts(rng))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(spec, f)
        f.flush()
        got, err = ask(inspect, ["tokenize"], f.name, [{"text": "a"}])
        if not got:  # before the reference reads it, which ends the process over some
            return [], err.rpartition(f"{f.name}: ")[2]
        try:
            reference = Tokenizer.from_str(json.dumps(spec))
        except BaseException as e:  # noqa: BLE001: its panics are no Exception
            return [], "not read by the reference: " + str(e)[:60]
        wrong = []
        for args, special in ((["tokenize", "--parse-special"], False),
                              (["tokenize", "--parse-special", "--add-special"], True)):
            got, err = ask(inspect, args, f.name, [{"text": t} for t in given])
            want = []
            for t in given:
                try:
                    want.append(reference.encode(t, add_special_tokens=special).ids)
                except BaseException as e:  # noqa: BLE001
                    want.append(str(e)[:80])
            wrong += [(args, t, w, g) for t, w, g in zip(given, want, got)
                      if isinstance(w, list) and w != g.get("ids")]
        lists = [w for w in want if isinstance(w, list)]
        lists += [[rng.randrange(reference.get_vocab_size()) for _ in range(6)] for _ in range(20)]
        for args, skip in ((["detokenize"], False), (["detokenize", "--skip-special"], True)):
            got, err = ask(inspect, args, f.name, [{"ids": x} for x in lists])
            want = [reference.decode(x, skip_special_tokens=skip) for x in lists]
            wrong += [(args, x, w, g) for x, w, g in zip(lists, want, got) if w != g.get("text")]
    return wrong, None


def main():
    inspect, n, seed = sys.argv[1], int(sys.argv[2]), int((sys.argv[3:] or ["1"])[0])
    refused, bad, same = collections.Counter(), 0, 0
    for i in range(n):
        sys.stdout.flush()
        spec = tokenizer(random.Random(f"{seed} {i}"))
        wrong, why = compare(inspect, spec, random.Random(i))
        if why:
            refused[why] += 1
        elif wrong:
            bad += 1
            args, given, want, got = wrong[0]
            short = {k: v for k, v in spec.items() if k not in ("version", "truncation", "padding", "model")}
            short["model"] = {k: v for k, v in spec["model"].items() if k not in ("vocab", "merges") and v}
            print(f"file {i}, {len(wrong)} differ: {args} {given!r}\n  want {want!r}\n  got  {got}\n  {json.dumps(short, ensure_ascii=False)}")
        else:
            same += 1
    for why, count in refused.most_common():
        print(f"{count:5d} {why}")
    print(f"{n} files: {same} equal, {bad} differ, {sum(refused.values())} not compared")
    sys.exit(bad != 0)


main()
