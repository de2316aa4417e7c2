"""The same by torch and peft in f32: one training step of one agent, or one round of decisions with mixed adapters.

    python torch_peft.py FOLDER step      four experiences, AdamW, gradient norm clipped at 1, adapters in all layers, or the top `--top`
    python torch_peft.py FOLDER round     twenty agents in one batch, each with its adapter, `--written` tokens out

FOLDER is what model.py made. Prints milliseconds (of a step, of a decision), round by round, as JSON. Only logits that are
needed are asked for, so that no time goes into the output matrix.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
warnings.filterwarnings("ignore")

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM


def load(folder: Path, agents: int, top: int | None):
    """The model with an adapter of rank 8 on q and v of all layers, or the top ones, for each agent."""
    model = AutoModelForCausalLM.from_pretrained(folder / "hf", dtype=torch.float32)
    layers = model.config.num_hidden_layers
    chosen = None if top is None else list(range(layers - top, layers))
    targets = dict(target_modules=["q_proj", "v_proj"], layers_to_transform=chosen)
    lora = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, bias="none", **targets)
    model = get_peft_model(model, lora, adapter_name="0")
    for agent in range(1, agents):
        model.add_adapter(str(agent), lora)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.uniform_(parameter, -0.02, 0.02)
    return model


def side_by_side(prompts: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and mask, padded on the left."""
    longest = max(map(len, prompts))
    padded = [[0] * (longest - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(padded), torch.tensor(mask)


def step(model, optimiser, prompts: list[list[int]], reply: list[int]) -> None:
    """One update towards a reply of two tokens."""
    tokens, mask = side_by_side([prompt + reply[:1] for prompt in prompts])
    logits = model(input_ids=tokens, attention_mask=mask, logits_to_keep=2, use_cache=False).logits
    goal = torch.tensor([reply] * len(prompts))
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), goal.flatten())
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimiser.step()


@torch.no_grad()
def decide(model, prompts: list[list[int]], written: int) -> None:
    """The likeliest tokens after each prompt, every prompt with its own adapter."""
    tokens, mask = side_by_side(prompts)
    names, kept = [str(agent) for agent in range(len(prompts))], None
    for _ in range(written):
        given = dict(attention_mask=mask, past_key_values=kept, use_cache=True, logits_to_keep=1)
        out = model(input_ids=tokens, adapter_names=names, **given)
        kept, tokens = out.past_key_values, out.logits.argmax(-1)
        mask = torch.cat([mask, torch.ones_like(tokens)], dim=1)


def main() -> None:
    """Times steps or rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("way", choices=["step", "round", "logits"])
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--written", type=int, default=3, help="tokens that are said: the last one is not read again")
    parser.add_argument("--top", type=int, help="layers with adapters, from above; all where this is not said")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    asked = json.loads((args.folder / "prompts.json").read_text())
    prompts = [prompt["tokens"] for prompt in asked["prompts"]]
    if args.way == "logits":
        model = AutoModelForCausalLM.from_pretrained(args.folder / "hf", dtype=torch.float32)
        with torch.no_grad():
            print(json.dumps(model(torch.tensor(prompts[:1]), logits_to_keep=1).logits.flatten().tolist()))
        return
    model = load(args.folder, args.agents if args.way == "round" else 1, args.top)
    each = args.batch if args.way == "step" else args.agents
    if args.way == "step":
        optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-3)
    else:
        model.eval()
    times = []
    for number in range(args.rounds + 2):
        own = [prompts[(number * each + at) % len(prompts)] for at in range(each)]
        begun = time.perf_counter()
        if args.way == "step":
            step(model, optimiser, own, asked["replies"]["move north"])
        else:
            decide(model, own, args.written)
        took = (time.perf_counter() - begun) * 1e3
        times.append(took if args.way == "step" else took / each)
    # The first two warm up.
    print(json.dumps(times[2:]))


if __name__ == "__main__":
    main()
