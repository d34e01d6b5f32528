# SPDX-License-Identifier: MIT
"""Writes what the model must say: perplexity of both forms, greedy continuations, their logits.

All arithmetic is float32 on the weights as the files give them; (code - zero) * scale is not
rounded. One JSON object a line; the first says how the figures are defined.
"""
import argparse
import json
import math
import pathlib

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import checkpoint
import tokenizer as tok

WINDOW = 512
STEPS = 32
CHATS = [
    [("user", "hi")],
    [("user", "Who are you?")],
    [("system", "You are a helpful assistant."), ("user", "How do I get a real model?")],
    [("user", "tell me a story about a penguin")],
    [("user", "what is 2 plus 3?"), ("assistant", "2 plus 3 is 5."),
     ("user", "why is the sky blue?")],
    [("user", "My name is Nora."), ("assistant", "Nice to meet you, Nora! How can I help you?"),
     ("user", "what is my name?")],
    [("user", "What is the population of Blorvia?")],
]
PLAIN = ["Once upon a time there was a little fox named Ida. Ida had"]


@torch.no_grad()
def perplexity(model, ids):
    """The mean loss in windows of WINDOW tokens: <s>, then tokens that no other window has."""
    total = 0.0
    for i in range(0, len(ids), WINDOW - 1):
        window = torch.tensor([tok.BOS, *ids[i:i + WINDOW - 1]])
        logits = model(window[None, :-1])[0]
        total += F.cross_entropy(logits.double(), window[1:], reduction="sum").item()
    return total / len(ids)


@torch.no_grad()
def greedy(model, ids):
    """Up to STEPS tokens, the end token last if it comes; for each the five best logits."""
    ids, out, top = list(ids), [], []
    while len(out) < STEPS and (not out or out[-1] != tok.EOS):
        value, index = model(torch.tensor([ids]))[0, -1].topk(5)
        top.append([[i, round(v, 5)] for i, v in zip(index.tolist(), value.tolist())])
        out.append(index[0].item())
        ids.append(out[-1])
    return out, top


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--awq", default="../../zoracd/demo/model")
    parser.add_argument("--fp16", default="../../tests/golden/demo-fp16")
    parser.add_argument("--golden", default="../../tests/golden/demo")
    args = parser.parse_args()
    torch.set_num_threads(1)
    golden = pathlib.Path(args.golden)
    tokenizer = Tokenizer.from_file(args.awq + "/tokenizer.json")
    prompts = [tok.encode_chat(tokenizer, c)[0] for c in CHATS]
    prompts += [tokenizer.encode(t).ids for t in PLAIN]
    held = tokenizer.encode((golden / "heldout.txt").read_text(), add_special_tokens=False).ids
    lines = [{"meta": {
        "perplexity": f"exp(nll); nll is the mean over all tokens of the file, in windows of "
                      f"{WINDOW}: <s> and {WINDOW - 1} tokens (the last fewer), none in two",
        "greedy": "ids is the prompt, next the continuation (ends with 2 if the model ends), top "
                  "the five best logits of each step as [id, logit], margin the least distance "
                  "between the first two",
        "arithmetic": "float32; weights as the file gives them"}}]
    for form, path in (("awq", args.awq), ("fp16", args.fp16)):
        model = checkpoint.read(path)
        nll = perplexity(model, held)
        lines.append({"kind": "perplexity", "form": form, "file": "heldout.txt", "window": WINDOW,
                      "tokens": len(held), "nll": round(nll, 6),
                      "perplexity": round(math.exp(nll), 6)})
        print(lines[-1])
        for ids in prompts:
            out, top = greedy(model, ids)
            text = tokenizer.decode(out)
            margin = min(t[0][1] - t[1][1] for t in top)
            lines.append({"kind": "greedy", "form": form, "ids": ids, "next": out, "text": text,
                          "margin": round(margin, 5), "top": top})
            print(form, repr(text), round(margin, 3))
    (golden / "reference.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))


if __name__ == "__main__":
    main()
