#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes text_tok_vectors.json: small tokenizers of every kind and what Hugging Face's `tokenizers`
(0.23) says of them. The tests read the file; this runs only when a case is added:
    python3 tests/unit/text_tok_vectors.py > tests/unit/text_tok_vectors.json
A tokenizer is a base (bytes or meta) with some members replaced."""
import json
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream


def merges_of(words, alphabet):
    """Every word built from the left: a vocabulary and merges that agree with each other."""
    vocab, merges = list(alphabet), []
    for word in words:
        for n in range(2, len(word) + 1):
            if word[:n] not in vocab:
                vocab.append(word[:n])
                merges.append([word[: n - 1], word[n - 1]])
    return {t: i for i, t in enumerate(vocab)}, merges


def byte_chars():
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    extra = iter(range(0x100, 0x200))
    return [chr(b) if b in plain else chr(next(extra)) for b in range(256)]


def base(kind):
    if kind == "bytes":
        words = ["Ġthe", "Ġthat", "thing", "ing", "ĠĠĠĠ", "ĊĊ", "Ã©", "ä¸Ń", "123", "Ġ'"]
        vocab, merges = merges_of(words, byte_chars())
        return {"normalizer": None, "added_tokens": [], "post_processor": None,
                "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
                "decoder": {**BYTES, "use_regex": True},
                "model": {"type": "BPE", "vocab": vocab, "merges": [" ".join(m) for m in merges]}}
    alphabet = ["<unk>", "<s>", "</s>", *("<0x%02X>" % b for b in range(256)), *"▁abdeghint.é"]
    vocab, merges = merges_of(["▁the", "▁that", "thing", "ing", "▁▁▁▁", "bad"], alphabet)
    return {"normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
            "added_tokens": [token(i, t, special=True) for i, t in enumerate(["<unk>", "<s>", "</s>"])],
            "pre_tokenizer": None, "post_processor": around("<s>", 1),
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
            "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
                      "vocab": vocab, "merges": merges}}


def token(i, content, **flags):
    return {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": False, **flags}


def around(name, i):
    return {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": name, "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": [i], "tokens": [name]}}}


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
MARKS = [token(0, "<|a|>", special=True), token(0, "<b>"), token(0, "<b>b"),
         token(0, "<left>", lstrip=True, special=True), token(0, "<right>", rstrip=True),
         token(0, "word", single_word=True), token(0, "  "), token(0, "né", normalized=True)]
TEXTS = ["", " ", "the thing", " the that  thing\n\n", "a\r\nb\t c   d", "don't I'LL 'ſ", "é中😀 né",
         "e\u0301 \u1e69 \u2126 \uac00\u11a8", "123 4567 x1y", "a\u180eb\u00a0c\u3000d\u2028e\u0085",
         "<|a|> x <b>bc<b> <left>y  <left>\n<right> \n z", "word words sword-word  word",
         "<0x41>Ġ▁▁▁the<unk>", "!!--== ##the...that", "\u0000\u007f\ufeff\ufffd", "▁ ▁thing the▁",
         "क़्षि กำ நி \U0001d15e", "x" * 40 + " " * 40 + "thing" * 12,
         "中、。ア、ー・カ 〇々 xxx x\u0301",
         # Marks out of order; what Unicode 9 does not know: marks, compatibility, a composed one.
         "e\u0301\u0323\u0345\u0308 a\u1df9\u0301 a\U0001e132\u0323 \u32ff\U0001fbf1 \U00011938\U00011935\U00011930"]


def tokenizers():
    yield "bytes", {}
    yield "bytes", {"pre_tokenizer": {**BYTES, "add_prefix_space": True, "use_regex": True}}
    for pattern in (TEKKEN, QWEN):
        yield "bytes", {"pre_tokenizer": sequence(split({"Regex": pattern}, "Isolated"), BYTES)}
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        yield "bytes", {"pre_tokenizer": sequence(split({"String": " "}, behavior), BYTES)}
        yield "bytes", {"pre_tokenizer": sequence(split({"Regex": r"\w+|x*"}, behavior, True), BYTES)}
        yield "bytes", {"pre_tokenizer": sequence({"type": "Punctuation", "behavior": behavior}, BYTES)}
    # A script is that script alone; {,n} counts from zero.
    for pattern in (r"\p{Han}+|\p{Katakana}", r"[\P{Han}]+|\p{^Han}", r"x{,2}\s"):
        yield "bytes", {"pre_tokenizer": sequence(split({"Regex": pattern}, "Isolated"), BYTES)}
    for individual in (True, False):
        yield "bytes", {"pre_tokenizer": sequence({"type": "Digits", "individual_digits": individual},
                                                  BYTES)}
    yield "bytes", {"pre_tokenizer": sequence({"type": "WhitespaceSplit"}, BYTES)}
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        yield "bytes", {"normalizer": {"type": form}, "added_tokens": MARKS}
    yield "bytes", {"normalizer": {"type": "Strip", "strip_left": True, "strip_right": True}}
    yield "bytes", {"normalizer": {"type": "Replace", "pattern": {"Regex": r"\s+|x+"}, "content": "_"}}
    yield "bytes", {"model": {"ignore_merges": True}, "decoder": None}
    yield "bytes", {"added_tokens": MARKS, "post_processor": {"type": "Sequence", "processors": [
        BYTES, around("<|a|>", len(base("bytes")["model"]["vocab"]))]}}
    yield "meta", {}
    yield "meta", {"added_tokens": [*base("meta")["added_tokens"], *MARKS]}
    yield "meta", {"model": {"byte_fallback": False}}
    yield "meta", {"model": {"byte_fallback": False, "fuse_unk": False}}
    yield "meta", {"model": {"byte_fallback": False, "unk_token": None}}
    yield "meta", {"model": {"end_of_word_suffix": "g"}}
    yield "meta", {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
                   "pre_tokenizer": split({"String": " "}, "MergedWithPrevious"),
                   "decoder": {"type": "Sequence", "decoders": [
                       {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                       {"type": "ByteFallback"}, {"type": "Fuse"}]}}
    for scheme in ("first", "always", "never"):
        for cut in (True, False):
            meta = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut}
            yield "meta", {"normalizer": None, "pre_tokenizer": meta, "decoder": meta}
            yield "meta", {"normalizer": None, "pre_tokenizer": meta}


def build(kind, changes):
    spec = base(kind)
    for key, value in changes.items():
        spec[key] = {**spec[key], **value} if key == "model" else value
    n = len(spec["model"]["vocab"])
    for t in spec["added_tokens"]:
        if t["content"] not in spec["model"]["vocab"]:
            t["id"], n = n, n + 1
    return Tokenizer.from_str(json.dumps({"version": "1.0", **spec}))


def chunks_of(tok, ids):
    """None where the stream of the reference fails, or holds back a U+FFFD of the text."""
    stream = DecodeStream(skip_special_tokens=False)
    try:
        chunks = [stream.step(tok, i) for i in ids]
    except Exception:
        return None
    text = tok.decode(ids, False)
    return chunks if "\ufffd" not in text and "".join(c or "" for c in chunks) == text else None


def row(tok, text):
    try:
        ids = tok.encode(text).ids
        plain = tok.encode(text, add_special_tokens=False).ids
    except BaseException:  # a panic of the reference: Strip has an index out of bounds
        return None
    return [text, ids, len(ids) - len(plain), tok.decode(plain, False), tok.decode(plain, True),
            chunks_of(tok, plain)]


def main():
    out = []
    for kind, changes in tokenizers():
        tok = build(kind, changes)
        out.append({"base": kind, "changes": changes, "rows": [r for r in (row(tok, t) for t in TEXTS) if r]})
    bases = {k: base(k) for k in ("bytes", "meta")}
    text = json.dumps({"bases": bases, "cases": out}, ensure_ascii=True, separators=(",", ":"))
    print(text.replace('{"base":', '\n{"base":').replace('"cases"', '\n"cases"'))


main()
