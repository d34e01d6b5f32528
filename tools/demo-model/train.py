# SPDX-License-Identifier: MIT
"""Trains the demo model on the corpus: one thread, bfloat16 products, about an hour."""
import argparse
import pathlib
import random
import time

import numpy as np
import torch
import torch.nn.functional as F

import corpus
import tokenizer as tok
from model import CONFIG, Mistral

# Documents are packed into rows of the shortest of these lengths that holds them: attention, which
# costs much of the time, then looks at few tokens of others. The longest is a chat of many turns.
LENGTHS = (96, 192, 384, 1024)
STEP_TOKENS = 6144


def encode(tokenizer, doc):
    if not isinstance(doc, str):
        return tok.encode_chat(tokenizer, doc)
    ids = [tok.BOS, *tokenizer.encode(doc, add_special_tokens=False).ids, tok.EOS]
    return ids, [False] + [True] * (len(ids) - 1)


def pack(tokenizer, docs):
    """For each length its rows: ids, whether to learn each, and the number of its document."""
    rows = {length: [] for length in LENGTHS}
    open_row = {length: ([], [], []) for length in LENGTHS}
    for number, d in enumerate(docs):
        ids, learn = encode(tokenizer, d)
        length = next((n for n in LENGTHS if n >= len(ids)), LENGTHS[-1])
        row = open_row[length]
        # What is left of a row is filled with the head of the document that did not fit.
        for part in range(2):
            room = length - len(row[0])
            row[0].extend(ids[:room])
            row[1].extend(learn[:room])
            row[2].extend([number] * min(room, len(ids)))
            if len(ids) <= room:
                break
            rows[length].append(row)
            row = open_row[length] = ([], [], [])
    return {n: [np.array([r[k] for r in rows[n]], dtype=np.int32) for k in range(3)]
            for n in LENGTHS}


def split_parameters(model):
    """Matrices of the layers are for Muon; embeddings, head and norms for AdamW."""
    inner = [p for n, p in model.named_parameters() if p.ndim == 2 and ".layers." in n]
    chosen = {id(p) for p in inner}
    return inner, [p for p in model.parameters() if id(p) not in chosen]


def loss_of(model, batch):
    """The summed loss of a batch and how many tokens it is of."""
    ids, learn, doc = (torch.from_numpy(a).long() for a in batch)
    length = ids.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    mask = causal & (doc[:, None, :, None] == doc[:, None, None, :])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(ids, mask)
    # The last token of a document is not followed by the first of the next one.
    target = torch.where((learn[:, 1:] > 0) & (doc[:, 1:] == doc[:, :-1]), ids[:, 1:], -100)
    loss = F.cross_entropy(logits[:, :-1].float().flatten(0, 1), target.flatten(), reduction="sum")
    return loss, (target >= 0).sum().item()


class Batches:
    """Steps of about STEP_TOKENS, from each length its share, in an order drawn anew each epoch."""

    def __init__(self, rows, seed):
        self.rows, self.shuffle = rows, random.Random(seed)
        total = sum(a[0].size for a in rows.values())
        self.share = {n: a[0].size / total * STEP_TOKENS / n for n, a in rows.items()}
        self.due = dict.fromkeys(rows, 0.0)
        self.order = {n: [] for n in rows}

    def next(self):
        for n in self.rows:
            self.due[n] += self.share[n]
            take = int(self.due[n])
            if not take:
                continue
            self.due[n] -= take
            if len(self.order[n]) < take:
                self.order[n] = list(range(len(self.rows[n][0])))
                self.shuffle.shuffle(self.order[n])
            pick, self.order[n] = self.order[n][:take], self.order[n][take:]
            yield [a[pick] for a in self.rows[n]]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="build", help="where checkpoints and the tokenizer go")
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    docs, held_chats, held_plain = corpus.build(90000, 14000, args.seed)
    texts = (t for d in docs[:8000] for t in ([d] if isinstance(d, str) else [m[1] for m in d]))
    tokenizer = tok.train(texts, CONFIG["vocab_size"])
    tok.save(tokenizer, out, CONFIG["max_position_embeddings"])
    (out / "heldout.txt").write_text("\n\n".join(held_plain) + "\n")
    rows = pack(tokenizer, docs)
    held = pack(tokenizer, held_chats + held_plain)
    batches = Batches(rows, args.seed)
    print(f"{len(docs)} documents, {sum(a[0].size for a in rows.values())} tokens", flush=True)

    model = Mistral()
    for name, p in model.named_parameters():
        if p.ndim == 2:
            # Matrices that write into the residual stream start small.
            deep = name.endswith(("o_proj.weight", "down_proj.weight"))
            torch.nn.init.normal_(p, std=0.007 if deep else 0.04)
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    inner, outer = split_parameters(model)
    optimizers = [torch.optim.Muon(inner, lr=4e-3, weight_decay=0.05,
                                   adjust_lr_fn="match_rms_adamw"),
                  torch.optim.AdamW(outer, lr=4e-3, weight_decay=0.01, betas=(0.9, 0.98))]
    for o in optimizers:
        o.param_groups[0]["base"] = o.param_groups[0]["lr"]

    start = time.time()
    for step in range(args.steps):
        # Warm up, hold, and fall linearly over the last half.
        rate = min(1, (step + 1) / 40, 2 * (1 - step / args.steps) + 0.01)
        for o in optimizers:
            o.param_groups[0]["lr"] = rate * o.param_groups[0]["base"]
        total, count = 0.0, 0
        for batch in batches.next():
            loss, n = loss_of(model, batch)
            (loss / STEP_TOKENS).backward()
            total, count = total + loss.item(), count + n
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o in optimizers:
            o.step()
            o.zero_grad(set_to_none=True)
        if step % 20 == 0:
            print(f"step {step} loss {total / count:.4f} {time.time() - start:.0f} s", flush=True)
        if step % 200 == 199 or step == args.steps - 1:
            with torch.no_grad():
                sums = [loss_of(model, [a[:64] for a in held[n]]) for n in LENGTHS]
            nll = sum(s.item() for s, _ in sums) / sum(n for _, n in sums)
            print(f"step {step} held-out loss {nll:.4f} {time.time() - start:.0f} s", flush=True)
            torch.save(model.state_dict(), out / "model.pt")


if __name__ == "__main__":
    main()
