"""Three training steps by torch and peft on the small Llama, as the tests of learning expect them.

Writes `training.safetensors` and `training.json` beside itself, byte for byte the same each time (CPU, one thread).
The versions are those of README.md. The replies form a trie with two forks: [50, x] and single tokens.
"""

import json
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
TEMPERATURE, ENTROPY, LEARNING_RATE, CLIP = 0.7, 0.1, 2e-3, 1.0
REPLIES = [[50, 60], [50, 61], [50, 62], [70], [71, 5]]
ROOT, BEHIND = [50, 70, 71], [60, 61, 62]
STEPS = [
    [([9, 33, 120, 7], 0, 1.0), ([301, 2, 14], 3, 1.0), ([88, 88, 17, 250, 31], 2, 1.0), ([5], 4, 1.0)],
    [([12, 290, 77], 1, 24.95), ([4, 201, 65, 18], 3, -1.05), ([150, 3], 2, 4.95)],
    [([333, 21, 9, 9, 40, 2], 4, 0.5), ([61, 7], 0, -0.25)],
]


def log_policy(model, prompt):
    """log pi of every reply: the softmax at each fork among what it offers, multiplied along the way."""
    root = model(torch.tensor([prompt])).logits[0, -1]
    behind = model(torch.tensor([prompt + [50]])).logits[0, -1]
    at_root = torch.log_softmax(root[ROOT] / TEMPERATURE, dim=0)
    at_behind = torch.log_softmax(behind[BEHIND] / TEMPERATURE, dim=0)
    return torch.cat([at_root[0] + at_behind, at_root[1:]])


def run(train_a):
    base = AutoModelForCausalLM.from_pretrained(HERE / "llama-hf", dtype=torch.float32)
    model = PeftModel.from_pretrained(base, HERE / "peft" / "llama-0", is_trainable=True).eval()
    for name, weight in model.named_parameters():
        weight.requires_grad_("lora_B" in name or (train_a and "lora_A" in name))
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8)
    losses, norms = [], []
    for samples in STEPS:
        optimiser.zero_grad()
        loss = 0.0
        for prompt, reply, weight in samples:
            logs = log_policy(model, prompt)
            entropy = -(logs.exp() * logs).sum()
            loss = loss + (-weight * logs[reply] - ENTROPY * entropy) / len(samples)
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(trained, CLIP)))
        optimiser.step()
        losses.append(float(loss.detach()))
    weights = {}
    for name, weight in model.named_parameters():
        if "lora_" in name:
            part = name.split(".")
            layer, target, half = part[part.index("layers") + 1], part[-4].removesuffix("_proj"), part[-3][-1]
            weights[f"{layer}.{target}.{half}"] = weight.detach().clone().contiguous()
    return losses, norms, weights


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    tensors, told = {}, {"replies": REPLIES, "temperature": TEMPERATURE, "entropy": ENTROPY}
    told |= {"learning_rate": LEARNING_RATE, "clip": CLIP}
    told["steps"] = [[{"prompt": p, "reply": r, "weight": w} for p, r, w in samples] for samples in STEPS]
    for name, train_a in [("b", False), ("ab", True)]:
        losses, norms, weights = run(train_a)
        told[name] = {"losses": losses, "norms": norms}
        tensors |= {f"{name}.{key}": weight for key, weight in weights.items()}
    save_file(tensors, HERE / "training.safetensors")
    (HERE / "training.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
