"""One round of decisions by llama.cpp: twenty agents, a prompt each, some tokens out, the likeliest each time.

    python llama_cpp_round.py FOLDER FORM swap     one adapter swapped in for each agent, one agent after the other
    python llama_cpp_round.py FOLDER FORM batch    one batch of all agents, without any adapter

FOLDER is what model.py made, FORM is q4_0, q8_0, q4_k_m or f32. `--written` says how many tokens. Prints the milliseconds of a
decision, round by round, as JSON; or, for the way `logits`, the first prompt's, with `--adapter`'s adapter where one is named.
Tokens are forced as they come: no sampler, no text, no Python between them that could be spared.
"""

import argparse
import ctypes
import json
import time
from pathlib import Path

import llama_cpp as api
import numpy as np


class Minds:
    """A context of llama.cpp, with a batch that is filled row by row."""

    def __init__(self, path: Path, agents: int, threads: int, written: int) -> None:
        self.written = written
        api.llama_backend_init()
        self.quiet = api.llama_log_callback(lambda *_: None)
        api.llama_log_set(self.quiet, ctypes.c_void_p(0))
        self.model = api.llama_model_load_from_file(str(path).encode(), api.llama_model_default_params())
        options = api.llama_context_default_params()
        options.n_ctx, options.n_seq_max = 64 * agents, agents
        options.n_batch = options.n_ubatch = 1024
        # One buffer of keys and values for all prompts: with one each, prompts of different lengths would not go through in one piece.
        options.kv_unified = True
        options.n_threads = options.n_threads_batch = threads
        self.context = api.llama_init_from_model(self.model, options)
        self.memory = api.llama_get_memory(self.context)
        self.vocabulary = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))
        self.batch = api.llama_batch_init(1024, 0, 1)

    def wear(self, adapter) -> None:
        """Puts one adapter on."""
        one, scale = (api.llama_adapter_lora_p_ctypes * 1)(adapter), (ctypes.c_float * 1)(1.0)
        if api.llama_set_adapters_lora(self.context, one, 1, scale) != 0:
            raise SystemExit("llama.cpp does not take the adapter.")

    def load(self, path: Path):
        """An adapter from a file."""
        return api.llama_adapter_lora_init(self.model, str(path).encode())

    def read(self, rows: list[tuple[int, int, int, bool]]) -> np.ndarray:
        """Reads rows of (token, position, sequence, wanted); gives the logits of those that are wanted."""
        batch, wanted = self.batch, 0
        batch.n_tokens = len(rows)
        for at, (token, position, sequence, asks) in enumerate(rows):
            batch.token[at], batch.pos[at], batch.n_seq_id[at] = token, position, 1
            batch.seq_id[at][0], batch.logits[at] = sequence, asks
            wanted += asks
        if api.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama.cpp does not take the batch.")
        logits = api.llama_get_logits(self.context)
        return np.ctypeslib.as_array(logits, shape=(wanted, self.vocabulary))

    def decide(self, prompts: list[list[int]]) -> np.ndarray:
        """Reads prompts side by side, and says the likeliest tokens after each; gives the first logits."""
        api.llama_memory_clear(self.memory, True)
        rows = [
            (token, at, sequence, at + 1 == len(prompt))
            for sequence, prompt in enumerate(prompts)
            for at, token in enumerate(prompt)
        ]
        logits = self.read(rows)
        first = logits[0].copy()
        for more in range(self.written - 1):
            said = logits.argmax(axis=1)
            rows = [(int(said[at]), len(prompt) + more, at, True) for at, prompt in enumerate(prompts)]
            logits = self.read(rows)
        return first


def main() -> None:
    """Times rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("form")
    parser.add_argument("way", choices=["swap", "batch", "logits"])
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--written", type=int, default=3, help="tokens that are said: the last one is not read again")
    parser.add_argument("--adapter", type=Path)
    args = parser.parse_args()
    prompts = [prompt["tokens"] for prompt in json.loads((args.folder / "prompts.json").read_text())["prompts"]]
    minds = Minds(args.folder / f"{args.form}.gguf", args.agents if args.way == "batch" else 1, args.threads, args.written)
    if args.way == "logits":
        if args.adapter:
            minds.wear(minds.load(args.adapter))
        print(json.dumps(minds.decide(prompts[:1]).astype(float).tolist()))
        return
    names = [args.folder / "adapters" / f"{agent}.gguf" for agent in range(args.agents)]
    adapters = [minds.load(name) for name in names] if args.way == "swap" else []
    times = []
    for number in range(args.rounds + 1):
        asked = [prompts[(number * args.agents + agent) % len(prompts)] for agent in range(args.agents)]
        begun = time.perf_counter()
        if args.way == "batch":
            minds.decide(asked)
        for adapter, prompt in zip(adapters, asked):
            minds.wear(adapter)
            minds.decide([prompt])
        times.append((time.perf_counter() - begun) * 1e3 / args.agents)
    # The first round warms up.
    print(json.dumps(times[1:]))


if __name__ == "__main__":
    main()
