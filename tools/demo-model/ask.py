# SPDX-License-Identifier: MIT
"""Asks a form of the model questions, each in a chat of its own, to see what it learned."""
import argparse

import torch
from tokenizers import Tokenizer

import checkpoint
import tokenizer as tok


@torch.no_grad()
def reply(model, tokenizer, messages, temperature, generator, limit=250):
    ids = tok.encode_chat(tokenizer, messages)[0]
    start = len(ids)
    while len(ids) < start + limit and ids[-1] != tok.EOS:
        logits = model(torch.tensor([ids]))[0, -1]
        if temperature:
            share = (logits / temperature).softmax(-1)
            ids.append(torch.multinomial(share, 1, generator=generator).item())
        else:
            ids.append(logits.argmax().item())
    return tokenizer.decode(ids[start:])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="../../zoracd/demo/model")
    parser.add_argument("-t", "--temperature", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chat", action="store_true",
                        help="the questions are the turns of one chat")
    parser.add_argument("question", nargs="+")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = checkpoint.read(args.model)
    tokenizer = Tokenizer.from_file(args.model + "/tokenizer.json")
    generator = torch.Generator().manual_seed(args.seed)
    messages = []
    for question in args.question:
        messages = [*(messages if args.chat else []), ("user", question)]
        answer = reply(model, tokenizer, messages, args.temperature, generator)
        messages.append(("assistant", answer))
        print(f"> {question}\n{answer}\n")


if __name__ == "__main__":
    main()
