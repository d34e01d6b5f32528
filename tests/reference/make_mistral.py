#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mistral-common as the reference of Mistral's own message formats: small tokenizers of each
version, conversations, and the ids that the reference makes of them (or that it refuses them). Not
part of the build; what the tests read is committed:
    python3 tests/reference/make_mistral.py > tests/unit/text_mistral_vectors.json
One thing that the reference takes is refused and not among them: a thought that is not closed with
a text behind it, which would be encoded apart from it.
With a built zorac-inspect it compares that many random conversations per format, on small
tokenizers and on those that the package brings along, and prints what differs:
    python3 tests/reference/make_mistral.py --diff build/zoracd/tools/zorac-inspect 2000
Needs PyPI's mistral-common and sentencepiece."""
import base64
import io
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

import sentencepiece
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

warnings.simplefilter("ignore")
TEXTS = ["Hello", "What is the weather in Paris?", " leads", "trails  ", "", "a\n\nb", "[INST] no [/INST]",
         "</s>", "<s>[TOOL_CALLS]", "é 中文 😀", "x" * 40, "{\"a\": 1}", "[1, 2.50, 1e3]", "null", "12",
         "\"text\"", "{\"b\": {\"c\": [true, false, null]}, \"b2\": -0.0}", "not { json", "▁", "line\ttab"]
NAMES = ["get_weather", "add-2", "f"]
ARGS = ["{\"city\": \"Paris\"}", "{}", "", "{\"x\": 1.10, \"y\": [1, 2], \"z\": \"é\"}", "not json",
        "{\"big\": 123456789012345678901234567890, \"e\": 1E5, \"s\": 1e-7, \"d\": 0.1}", "  [1]  ",
        "{\"k\": 1, \"k\": 2}", {"p": {"q": "r"}, "n": 2.5}, None]
TOOLS = [{"type": "function", "function": {
            "name": "get_weather", "description": "The weather of a city, é",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                           "required": ["city"]}}},
         {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "x": 1.5}}},
         {"type": "function", "function": {"name": "add-2", "description": "", "strict": True,
                                           "parameters": {"type": "object", "properties": {}}}}]
SPECIALS = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
            "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]",
            "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
            "[TOOL_CONTENT]", "[AUDIO]", "[BEGIN_AUDIO]", "[CALL_ID]", "[ARGS]", "[THINK]", "[/THINK]"]
WORDS = "the weather of a city in Paris is what name arguments content type function object".split()


# ---- tokenizers -------------------------------------------------------------------------------

def small_spm(version):
    out = io.BytesIO()
    lines = [" ".join(random.Random(i).choices(WORDS, k=6)) for i in range(200)]
    controls = [] if version == 1 else [s for s in SPECIALS[3:] if version >= 7 or "SYSTEM" not in s]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, model_type="bpe", minloglevel=2,
        vocab_size=350, hard_vocab_limit=False, byte_fallback=True, num_threads=1,
        normalization_rule_name="identity", remove_extra_whitespaces=False, control_symbols=controls)
    return out.getvalue()


def tekken(version, vocab=None, pattern=None):
    words = [bytes([b]) for b in range(256)] + [(" " + w)[:n].encode() for w in WORDS
                                                for n in range(2, len(w) + 2)]
    small = [{"rank": i, "token_bytes": base64.b64encode(w).decode(), "token_str": None}
             for i, w in enumerate(dict.fromkeys(words))]
    vocab = vocab or small
    return {"config": {"pattern": pattern or "[^\\s\\p{L}]+|\\s*\\p{L}+|\\s+", "num_vocab_tokens": len(vocab),
                       "default_vocab_size": len(vocab) + len(SPECIALS),
                       "default_num_special_tokens": len(SPECIALS), "version": f"v{version}"},
            "special_tokens": [{"rank": i, "token_str": s, "is_control": True}
                               for i, s in enumerate(SPECIALS)],
            "vocab": vocab}


def small():
    files = {f"spm_v{v}": (f"tokenizer.model.v{v}", small_spm(v)) for v in (1, 2, 3, 7)}
    files |= {f"tekken_v{v}": ("tekken.json", json.dumps(tekken(v)).encode()) for v in (3, 7, 11, 13)}
    return files


def large():
    data = MistralTokenizer._data_path()
    names = {1: "tokenizer.model.v1", 2: "mistral_instruct_tokenizer_240216.model.v2",
             3: "mistral_instruct_tokenizer_240323.model.v3", 7: "mistral_instruct_tokenizer_241114.model.v7"}
    files = {f"large_spm_v{v}": (f"tokenizer.model.v{v}", (data / n).read_bytes()) for v, n in names.items()}
    old = json.loads((data / "tekken_240718.json").read_bytes())
    files["large_tekken_v3"] = ("tekken.json", (data / "tekken_240718.json").read_bytes())
    n = old["config"]["default_vocab_size"] - old["config"]["default_num_special_tokens"]
    files["large_tekken_v13"] = ("tekken.json", json.dumps(
        tekken(13, old["vocab"][:n], old["config"]["pattern"])).encode())
    return files


# ---- conversations ----------------------------------------------------------------------------

def content(rng, allow_list=True):
    if allow_list and rng.random() < 0.2:
        return [{"type": "text", "text": rng.choice(TEXTS)} for _ in range(rng.randint(1, 3))]
    return rng.choice(TEXTS)


def thoughts(rng):
    return {"type": "thinking", "thinking": rng.choice(TEXTS), **({"closed": rng.random() < 0.8} if rng.random() < 0.5 else {})}


def spoil(rng, messages, tools):
    """One thing that a client may get wrong, or that not every version takes."""
    m = rng.choice(messages)
    calls = [c for x in messages for c in x.get("tool_calls") or []]
    kind = rng.randrange(16)
    if kind == 0:
        m["content"] = [thoughts(rng), {"type": "text", "text": rng.choice(TEXTS)}]
    elif kind == 1:
        m["content"] = [{"type": "text", "text": rng.choice(TEXTS)}, thoughts(rng)]
    elif kind == 2:
        m["content"] = rng.choice([None, [], 5, {"type": "text"}, [{"type": "video"}], [{"text": "x"}], ["x"]])
    elif kind == 3:
        m["role"] = rng.choice(["developer", "function", "", None, "User", "system", "tool", "assistant", "user"])
    elif kind in (4, 5, 6):
        m.update(rng.choice([{"reasoning_content": None}, {"reasoning_content": None, "reasoning": None}, {"reasoning": "why"},
                             {"reasoning_content": "why"}, {"reasoning": "a", "reasoning_content": "b"},
                             {"reasoning": "a", "reasoning_content": "a"}, {"reasoning_content": None, "reasoning": "a"}]))
    elif kind == 7 and calls:
        rng.choice(calls)["function"]["name"] = rng.choice(["", "a b", "x" * 65, "é", "a.b"])
    elif kind == 8 and calls:
        rng.choice(calls)["id"] = rng.choice([calls[0]["id"], "", "null", "123456789", "12345678"])
    elif kind == 9 and tools:
        rng.choice(tools)["function"].update(rng.choice([{"name": "a b"}, {"name": ""}, {"description": None}, {"parameters": None},
                                                         {"parameters": []}, {"description": 5}, {"extra": 1}, {"strict": False}]))
    elif kind == 10:
        m["tool_calls"] = rng.choice([None, [], [{"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": "{}"}}]])
    elif kind == 11 and m["role"] == "tool":
        m.update(rng.choice([{"name": "a b"}, {"name": None}, {"tool_call_id": None}, {"tool_call_id": "zzzzzzzzz"}]))
    elif kind == 12:
        messages.insert(rng.randrange(len(messages) + 1), {"role": "tool", "tool_call_id": "abcdefghi", "name": "f", "content": "1"})
    elif kind == 13:
        messages.insert(rng.randrange(len(messages) + 1), {"role": "system", "content": content(rng)})
    elif kind == 14:
        messages.insert(rng.randrange(len(messages) + 1), dict(m))
    elif messages[-1]["role"] == "assistant":
        m["prefix"] = True


def conversation(rng, version):
    """Mostly what the version takes, with whatever it may refuse now and then."""
    messages, odd = [], rng.random() < 0.15

    def call_id(i):
        if odd and rng.random() < 0.3:
            return rng.choice(["short", "null", "", "with space"])
        return f"callid{i:03d}" if version < 13 else f"call-{i}"

    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        messages.append({"role": "system", "content": content(rng)})
        if version >= 13 and rng.random() < 0.3:
            messages[-1]["content"] = [{"type": "text", "text": rng.choice(TEXTS)}, thoughts(rng),
                                       {"type": "text", "text": rng.choice(TEXTS)}][: rng.choice([2, 3])]
    n_calls = 0
    for _ in range(rng.randint(1, 4)):
        for _ in range(rng.choice([1, 1, 1, 2])):
            messages.append({"role": "user", "content": content(rng)})
        if rng.random() < 0.1:
            messages.append({"role": "system", "content": content(rng)})
        while version > 1 and rng.random() < 0.4:
            k = rng.randint(1, 3 if version > 2 else 1)
            calls = [{"id": call_id(n_calls + i), "type": "function",
                      "function": {"name": rng.choice(NAMES), "arguments": rng.choice(ARGS)}}
                     for i in range(k)]
            m = {"role": "assistant", "tool_calls": calls}
            if version >= 7 and rng.random() < 0.4 or odd and rng.random() < 0.3:
                m["content"] = content(rng)
            messages.append(m)
            results = [{"role": "tool", "tool_call_id": c["id"], "content": content(rng),
                        **({"name": c["function"]["name"]} if rng.random() < 0.7 else {})} for c in calls]
            rng.shuffle(results)
            messages += results[: rng.choice([k, k, k, k - 1]) if odd else k]
            n_calls += k
        if rng.random() < 0.8:
            m = {"role": "assistant", "content": content(rng)}
            if version >= 13 and rng.random() < 0.4:
                m["content"] = [{"type": "thinking", "thinking": rng.choice(TEXTS)},
                                {"type": "text", "text": rng.choice(TEXTS)}]
                if rng.random() < 0.3:  # not closed and no text behind it: what is there stays apart
                    m["content"] = [m["content"][1], {**m["content"][0], "closed": False}]
            messages.append(m)
    if odd and rng.random() < 0.5:
        rng.shuffle(messages)
    end = rng.random()
    if messages[-1]["role"] == "assistant" and end < 0.8:
        if end < 0.3 and messages[-1].get("content"):
            messages[-1]["prefix"] = True
        else:
            messages.append({"role": "user", "content": content(rng)})
    tools = rng.sample(TOOLS, rng.randint(1, 3)) if version > 1 and rng.random() < 0.6 else None
    messages, tools = json.loads(json.dumps([messages, tools]))
    if rng.random() < 0.25:
        spoil(rng, messages, tools)
    return {"messages": messages, **({"tools": tools} if tools else {})}


def leaves_open(given):
    """Whether something follows a thought that is not closed."""
    messages = given["messages"]
    for m, after in zip(messages, [*messages[1:], {}]):
        chunks = m.get("content") if isinstance(m.get("content"), list) else []
        for i, chunk in enumerate(chunks):
            if isinstance(chunk, dict) and chunk.get("closed") is False and (
                    i + 1 < len(chunks) or m.get("role") == after.get("role")):
                return True
    return False


def from_openai(given):
    """What ChatCompletionRequest.from_openai does, and the prefix, which that leaves out."""
    request = ChatCompletionRequest.from_openai(**json.loads(json.dumps(given)))
    for m, g in zip(request.messages, given["messages"]):
        if g.get("prefix"):
            m.prefix = True
    return request


def answer(tokenizer, given):
    try:
        return {"ids": tokenizer.encode_chat_completion(from_openai(given)).tokens}
    except Exception as e:  # noqa: BLE001: every refusal is one
        return {"error": type(e).__name__ + ": " + str(e)[:80].replace("\n", " ")}


def each(files):
    for name, (file, data) in files.items():
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / file
            path.write_bytes(data)
            yield name, int(name.rpartition("v")[2]), folder, MistralTokenizer.from_file(str(path))


def diff(inspect, n):
    bad = 0
    for name, version, folder, tokenizer in each(small() | large()):
        rng = random.Random(name)
        given = [conversation(rng, version) for _ in range(n if "large" not in name else n // 5)]
        run = subprocess.run([inspect, "render", folder], text=True, capture_output=True,
                             input="".join(json.dumps(g) + "\n" for g in given))
        got = [json.loads(line) for line in run.stdout.split("\n")[:-1]]
        want = [answer(tokenizer, g) for g in given]
        wrong = [(g, w, o) for g, w, o in zip(given, want, got) if w.get("ids") != o.get("ids")
                 and "a thought that is not closed" not in o.get("error", "")]
        for g, w, o in wrong[:3]:
            print(name, json.dumps(g, ensure_ascii=False), "\n  want", str(w)[:200], "\n  got ", str(o)[:200])
        if len(got) != len(given):
            print(name, run.stderr)
        refused = sum("error" in w for w in want)
        print(f"{name}: {len(given)} conversations ({refused} refused), {len(wrong)} differ")
        bad += len(wrong) + (len(got) != len(given))
    return bad


def main():
    if sys.argv[1:2] == ["--diff"]:
        sys.exit(diff(sys.argv[2], int(sys.argv[3])) != 0)
    formats = []
    for name, version, _, tokenizer in each(files := small()):
        rng = random.Random(name + "!")
        given = [conversation(rng, version) for _ in range(18)]
        rows = [{"given": g, **answer(tokenizer, g)} for g in given if not leaves_open(g)]
        rows = [r for r in rows if not r.get("error", "").startswith("KeyError")]
        spm = {"spm": files[name][1].hex()} if "spm" in name else {}
        formats.append({"name": name, "version": version, **spm, "rows": rows})
    vectors = {"tekken": tekken(3), "formats": formats}  # of which the version is replaced
    print(json.dumps(vectors, separators=(",", ":")).replace('{"given"', '\n{"given"'))


main()
