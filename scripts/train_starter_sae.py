"""Train the starter SAE on harvested activations: TopK, hand-written sparse gradients, CPU.

    python scripts/train_starter_sae.py --activations train.npy --out DIR

Where `--activations` does not exist it is harvested first: `12.resid` of the starter subject over
`explore` and `validate` documents of the starter corpus, first positions of rows left out, float16
[tokens, d]. `glossator sae train` goes through sae-lens; this script exists because the two cores that
it ran on had an hour for it: a TopK step needs only one dense product, as the gradients touch k latents
a token, so they are two sparse-dense products.

TopK SAE and auxiliary loss for dead latents: Gao et al., "Scaling and evaluating sparse
autoencoders", https://arxiv.org/abs/2406.04093. The result is written in sae-lens' format with unit
decoder norms, float16.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file


@dataclass
class Weights:
    """Parameters; `enc` and `dec` are both [features, d]."""

    enc: torch.Tensor
    dec: torch.Tensor
    b_enc: torch.Tensor
    b_dec: torch.Tensor

    def all(self) -> list[torch.Tensor]:
        return [self.enc, self.dec, self.b_enc, self.b_dec]


def initial(width: int, mean: torch.Tensor, seed: int) -> Weights:
    """Random unit decoder rows, the encoder tied to them at the start, the mean as output bias."""
    gen = torch.Generator().manual_seed(seed)
    dec = torch.nn.functional.normalize(torch.randn(width, mean.shape[0], generator=gen), dim=1)
    return Weights(dec.clone(), dec, torch.zeros(width), mean.clone())


def gradients(
    w: Weights, x: torch.Tensor, k: int, dead: torch.Tensor
) -> tuple[list[torch.Tensor], float, torch.Tensor]:
    """Gradients of mean squared error (plus the auxiliary loss), the error, and the latents that fired."""
    n, width = x.shape[0], w.enc.shape[0]
    centred = x - w.b_dec
    # bfloat16 only chooses the latents of this step; their values and all gradients are float32.
    pre = torch.addmm(w.b_enc.bfloat16(), centred.bfloat16(), w.enc.bfloat16().T)
    index = pre.topk(k, dim=1, sorted=False).indices
    rows = torch.arange(0, n * k + 1, k)
    pattern = torch.sparse_csr_tensor(rows, index.flatten(), torch.zeros(n * k), (n, width))
    value = (
        torch.sparse.sampled_addmm(pattern, centred, w.enc.T, beta=0.0).values() + w.b_enc[index.flatten()]
    )
    value = value.relu_()
    codes = torch.sparse_csr_tensor(rows, index.flatten(), value, (n, width))
    error = codes @ w.dec + w.b_dec - x
    scale = 2.0 / n
    # d loss / d code, at the chosen latents only.
    slope = torch.sparse.sampled_addmm(pattern, error, w.dec.T, beta=0.0).values() * (value > 0)
    order = torch.from_numpy(np.argsort(index.flatten().numpy().astype(np.uint16), kind="stable"))
    token = order // k
    pointers = torch.cat(
        [torch.zeros(1, dtype=torch.long), torch.bincount(index.flatten(), minlength=width).cumsum(0)]
    )
    by_latent = torch.sparse_csr_tensor(pointers, token, value[order], (width, n))
    slope_by_latent = torch.sparse_csr_tensor(pointers, token, slope[order], (width, n))
    g_dec = (by_latent @ error) * scale
    g_enc = (slope_by_latent @ centred) * scale
    g_b_enc = torch.zeros(width).index_add_(0, index.flatten(), slope) * scale
    g_b_dec = error.sum(0) * scale - (g_b_enc[None] @ w.enc).squeeze(0)
    which = dead.nonzero().squeeze(1)
    if len(which) >= 16:
        add_auxiliary(w, centred, error, pre, which, g_enc, g_dec, g_b_enc, scale)
    fired = torch.zeros(width, dtype=torch.bool)
    fired[index.flatten()[value > 0]] = True
    return [g_enc, g_dec, g_b_enc, g_b_dec], float(error.pow(2).sum() / n), fired


def add_auxiliary(
    w: Weights, centred: torch.Tensor, error: torch.Tensor, pre: torch.Tensor, which: torch.Tensor,
    g_enc: torch.Tensor, g_dec: torch.Tensor, g_b_enc: torch.Tensor, scale: float, weight: float = 1 / 32,
) -> None:  # fmt: skip
    """Let the dead latents reconstruct what the live ones leave over (every fourth token, for speed)."""
    part = slice(0, None, 4)
    dec = w.dec[which]
    dead_pre = pre[part][:, which].float()
    value, index = dead_pre.topk(min(128, len(which)), dim=1)
    codes = torch.zeros_like(dead_pre).scatter_(1, index, value.relu())
    rest = codes @ dec + error[part]
    factor = 4 * scale * weight
    slope = (rest @ dec.T) * (codes > 0)
    g_dec[which] += codes.T @ rest * factor
    g_enc[which] += slope.T @ centred[part] * factor
    g_b_enc[which] += slope.sum(0) * factor


def train(x: np.ndarray, width: int, k: int, steps: int, batch: int, lr: float, seed: int, out: Path) -> None:
    """Adam with warm-up and linear decay; decoder rows kept at unit norm; saves every 1,000 steps."""
    rng = np.random.default_rng(seed)
    sample = torch.from_numpy(x[np.sort(rng.choice(len(x), min(50_000, len(x)), replace=False))]).float()
    factor = float((x.shape[1] ** 0.5) / sample.norm(dim=1).mean())
    sample = sample * factor
    variance = float((sample - sample.mean(0)).pow(2).sum(1).mean())
    w = initial(width, sample.mean(0), seed)
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in w.all()]
    silent = torch.zeros(width)
    start, order, at = time.time(), rng.permutation(len(x)), 0
    for step in range(1, steps + 1):
        if at + batch > len(order):
            order, at = rng.permutation(len(x)), 0
        take = np.sort(order[at : at + batch])
        at += batch
        data = torch.from_numpy(x[take]).float() * factor
        grads, loss, fired = gradients(w, data, k, silent > 400_000)
        silent = torch.where(fired, 0.0, silent + batch)
        # The part of the gradient along a unit row would only change its norm.
        grads[1] -= (grads[1] * w.dec).sum(1, keepdim=True) * w.dec
        rate = lr * min(1.0, step / 200) * min(1.0, (steps - step + 1) / (0.3 * steps))
        for p, g, (m, v) in zip(w.all(), grads, moments, strict=True):
            m.lerp_(g, 0.1)
            v.mul_(0.999).addcmul_(g, g, value=0.001)
            p.sub_(rate * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8))
        w.dec.copy_(torch.nn.functional.normalize(w.dec, dim=1))
        if step % 50 == 0:
            print(f"step {step}/{steps}  EV {1 - loss / variance:.4f}  dead {int((silent > 400_000).sum())}"
                  f"  {(time.time() - start) / step:.3f} s/step", flush=True)  # fmt: skip
        if step % 500 == 0 or step == steps:
            save(w, factor, k, out, {"steps": step, "batch": batch, "lr": lr, "seed": seed, "tokens": len(x)})


def save(w: Weights, factor: float, k: int, out: Path, training: dict[str, float]) -> None:
    """Fold the input scaling into the weights and write sae-lens' two files."""
    out.mkdir(parents=True, exist_ok=True)
    tensors = {
        "W_enc": w.enc.T.contiguous(), "W_dec": w.dec.contiguous(),
        "b_enc": w.b_enc / factor, "b_dec": w.b_dec / factor,
    }  # fmt: skip
    save_file(
        {n: t.to(torch.float16).contiguous() for n, t in tensors.items()}, out / "sae_weights.safetensors"
    )
    config = {
        "architecture": "topk", "k": k, "d_in": w.enc.shape[1], "d_sae": w.enc.shape[0], "dtype": "float32",
        "device": "cpu", "apply_b_dec_to_input": True, "normalize_activations": "none",
        "reshape_activations": "none",
        "rescale_acts_by_decoder_norm": True,
        "metadata": {"hook_name": "blocks.12.hook_resid_post", "hf_hook_name": "model.layers.12",
                     "model_name": "SmolLM2-135M-Instruct", "prepend_bos": False, "context_size": 256,
                     "training": training},
    }  # fmt: skip
    (out / "cfg.json").write_text(json.dumps(config, indent=2) + "\n")


def harvest_starter(path: Path, tokens: int) -> None:
    """Write `12.resid` of the starter subject over `tokens` tokens that are not sealed."""
    from glossator.probes.activation_harvest import harvest
    from glossator.probes.token_rows import draw_rows
    from glossator.records import SiteRef, Split
    from glossator.session import Session
    from glossator.settings import load_settings

    with Session(load_settings().settings) as session:
        splits = (Split.EXPLORE, Split.VALIDATE)
        rows = draw_rows(session.subject, session.corpus, splits, tokens=tokens, context=256, seed=0)
        harvest(session.subject, SiteRef.parse("12.resid"), rows, path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--activations", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    for name, default in (
        ("width", 4096),
        ("k", 24),
        ("steps", 3600),
        ("batch", 4096),
        ("seed", 0),
        ("rows", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--lr", type=float, default=8e-4)
    args = parser.parse_args()
    if not args.activations.exists():
        harvest_starter(args.activations, args.rows or 1_330_000)
    x = np.load(args.activations, mmap_mode="r")
    x = x[: args.rows] if args.rows else x
    with torch.no_grad():
        train(x, args.width, args.k, args.steps, args.batch, args.lr, args.seed, args.out)


if __name__ == "__main__":
    main()
