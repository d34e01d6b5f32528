#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Encoding beside Hugging Face's tokenizers, tiktoken and SentencePiece: the same texts, one thread,
processor time, the best of five runs of each, in turn. Prints a table for docs/performance.md.
    python3 tests/reference/bench_tokenizers.py build/zoracd/tools/zorac-inspect FILE...
FILE: a tokenizer.json, tekken.json or *.model. The texts are made of this repository (English: its
pages; code: its C files) and of Chinese sentences below. Needs PyPI's tokenizers, tiktoken,
sentencepiece."""
import base64
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import sentencepiece  # noqa: E402
import tiktoken  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BYTES = 400_000
CHINESE = """今天的天气很好，我们打算下午去公园散步。这家餐馆的面条又便宜又好吃。他昨天买了一本关于历史的书，晚上读到很晚。
火车八点半出发，请提前二十分钟到站。孩子们在院子里踢球，老人坐在树下聊天。计算机把文字切成一个个小块，再把每个小块换成数字。
如果明天下雨，会议就改到星期五举行。这座桥修建于一九三七年，全长约一千六百米。她学习钢琴已经十年了，每天至少练习两个小时。
请把窗户关上，外面的风太大了。市场上的蔬菜和水果都很新鲜，价格也不贵。医生建议他多喝水，少熬夜，按时吃饭。""".replace("\n", "")


def texts():
    english = "\n".join(p.read_text() for p in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]))
    code = "\n".join(p.read_text() for p in sorted(ROOT.glob("zoracd/**/*.c")))
    rng, sentences = random.Random(1), [s + "。" for s in CHINESE.split("。") if s]
    chinese = "".join(rng.choice(sentences) + rng.choice(["", "", "\n"]) for _ in range(8000))
    lines = [rng.choice(t.split("\n")) for t in (english, code, chinese) * 5000]
    rng.shuffle(lines)
    made = {"English": english * 4, "code": code, "Chinese": chinese, "mixed": "\n".join(lines)}
    return {k: v.encode()[:BYTES].decode(errors="ignore") for k, v in made.items()}


def encoders(path):
    """The references for a file: name and a function of a text."""
    name = path.name
    if ".model" in name:
        sp = sentencepiece.SentencePieceProcessor(model_file=str(path))
        return {"SentencePiece": sp.encode}
    data = json.loads(path.read_text())
    if "vocab" in data:  # tekken
        n = data["config"]["default_vocab_size"] - data["config"]["default_num_special_tokens"]
        ranks = {base64.b64decode(t["token_bytes"]): t["rank"] for t in data["vocab"][:n]}
        enc = tiktoken.Encoding("tekken", pat_str=data["config"]["pattern"], mergeable_ranks=ranks,
                                special_tokens={})
        return {"tiktoken": enc.encode_ordinary}
    hf = Tokenizer.from_str(path.read_text())
    return {"tokenizers": lambda text: hf.encode_batch_fast([text], add_special_tokens=False)[0].ids}


def best(encode, text):
    took = []
    for _ in range(5):
        start = time.process_time()
        ids = encode(text)
        took.append(time.process_time() - start)
    return min(took), len(ids)


def main():
    inspect, files = sys.argv[1], [pathlib.Path(p) for p in sys.argv[2:]]
    print("| tokenizer | text | MB/s | reference | MB/s | ratio |\n|---|---|---|---|---|---|")
    for path in files:
        for reference, encode in encoders(path).items():
            # Hugging Face's library always looks for special tokens in a text.
            special = ["--parse-special"] if reference == "tokenizers" else []
            for kind, text in texts().items():
                with tempfile.NamedTemporaryFile("w") as f:
                    f.write(text)
                    f.flush()
                    run = subprocess.run([inspect, "speed", *special, str(path), f.name], capture_output=True,
                                         text=True, check=True)
                ours = json.loads(run.stdout)
                theirs, n = best(encode, text)
                same = "" if n == ours["tokens"] else f" ({n} tokens, not {ours['tokens']})"
                mb = ours["bytes"] / 1e6
                print(f"| {path.name.split('.')[0]} | {kind} | {mb / ours['encode_s']:.1f} | {reference} | "
                      f"{mb / theirs:.1f} | {theirs / ours['encode_s']:.1f}{same} |", flush=True)


main()
