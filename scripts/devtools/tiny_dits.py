"""Tiny random diffusion transformers in ComfyUI's own classes, sampled on a CPU in well under a second each.

`build(name)` gives a ModelPatcher, `sample(name, patcher)` runs the sampler's own path on it (guider, wrappers,
batching), `conditioning(name)` a CONDITIONING.  Weights and contexts are random, of the family's shapes.  Sizes are
chosen so that no two counts that a test tells apart are equal: 12 text tokens, 16 x 20 latent cells.  ComfyUI is to be
started before this is imported (`devtools.inprocess`).
"""

from __future__ import annotations

import zlib

import comfy.model_patcher
import comfy.sample
import comfy.supported_models as models
import torch

TEXT = 12  # text tokens
SIZE = (16, 20)  # latent cells, height x width


def _text(width: int, tokens: int = TEXT) -> tuple[int, int]:
    return tokens, width


def _ones(tokens: int = TEXT) -> torch.Tensor:
    return torch.ones(1, tokens, dtype=torch.long)


_POOLED = {"pooled_output": torch.zeros(1, 32)}
_FLUX = dict(
    image_model="flux",
    in_channels=16,
    out_channels=16,
    vec_in_dim=32,
    context_in_dim=48,
    hidden_size=64,
    mlp_ratio=2.0,
    num_heads=4,
    depth=2,
    depth_single_blocks=2,
    axes_dim=[4, 6, 6],
    theta=10000,
    patch_size=2,
    qkv_bias=True,
    guidance_embed=True,
    txt_ids_dims=[],
)
_SD3 = dict(
    input_size=None,
    patch_size=2,
    in_channels=16,
    depth=2,
    adm_in_channels=32,
    pos_embed_scaling_factor=None,
    pos_embed_offset=None,
    pos_embed_max_size=16,
    num_patches=256,
    qk_norm="rms",
    x_block_self_attn_layers=[],
    context_embedder_config={"target": "torch.nn.Linear", "params": {"in_features": 48, "out_features": 128}},
)
_COSMOS = dict(
    max_img_h=240,
    max_img_w=240,
    max_frames=128,
    in_channels=16,
    out_channels=16,
    patch_spatial=2,
    patch_temporal=1,
    concat_padding_mask=True,
    pos_emb_cls="rope3d",
    pos_emb_learnable=True,
    pos_emb_interpolation="crop",
    min_fps=1,
    max_fps=30,
    use_adaln_lora=True,
    adaln_lora_dim=16,
    model_channels=64,
    num_blocks=2,
    num_heads=4,
    extra_per_block_abs_pos_emb=False,
    rope_h_extrapolation_ratio=4.0,
    rope_w_extrapolation_ratio=4.0,
    rope_t_extrapolation_ratio=1.0,
    rope_enable_fps_modulation=False,
)
_WAN = dict(
    image_model="wan2.1",
    model_type="t2v",
    dim=72,
    num_heads=6,
    num_layers=2,
    ffn_dim=96,
    in_dim=16,
    out_dim=16,
    freq_dim=32,
    text_dim=48,
    text_len=TEXT,
    patch_size=(1, 2, 2),
    qk_norm=True,
    cross_attn_norm=True,
    eps=1e-6,
    window_size=(-1, -1),
)
_LUMINA = dict(
    image_model="lumina2",
    patch_size=2,
    in_channels=16,
    cap_feat_dim=48,
    n_layers=2,
    n_refiner_layers=1,
    qk_norm=True,
    axes_dims=[4, 6, 6],
    axes_lens=[300, 64, 64],
    multiple_of=16,
    ffn_dim_multiplier=1.0,
)
_KANDINSKY = dict(
    image_model="kandinsky5",
    in_visual_dim=16,
    out_visual_dim=16,
    in_text_dim=48,
    in_text_dim2=32,
    time_dim=32,
    model_dim=64,
    ff_dim=96,
    patch_size=(1, 2, 2),
    num_text_blocks=2,
    num_visual_blocks=2,
    axes_dims=(4, 6, 6),
    rope_scale_factor=(1.0, 1.0, 1.0),
)
_LTX = dict(cross_attention_dim=64, attention_head_dim=16, num_attention_heads=4, caption_channels=48, num_layers=2)

# name -> (class in comfy.supported_models, unet_config, (text tokens, text width), entries beside the embedding, latent
# channels, frames or None for 4-D latents)
FAMILIES = {
    "flux": ("Flux", _FLUX, _text(48), _POOLED, 16, None),
    "flux_schnell": ("FluxSchnell", {**_FLUX, "guidance_embed": False}, _text(48), _POOLED, 16, None),
    "flux2": (
        "Flux2",
        dict(
            image_model="flux2",
            in_channels=128,
            out_channels=128,
            vec_in_dim=None,
            context_in_dim=48,
            hidden_size=64,
            mlp_ratio=2.0,
            num_heads=4,
            depth=2,
            depth_single_blocks=2,
            axes_dim=[4, 4, 4, 4],
            theta=2000,
            patch_size=1,
            qkv_bias=False,
            guidance_embed=True,
            txt_ids_dims=[3],
            global_modulation=True,
            mlp_silu_act=True,
            ops_bias=False,
            default_ref_method="index",
            ref_index_scale=10.0,
        ),
        _text(48),
        {},
        128,
        None,
    ),
    "chroma": (
        "Chroma",
        dict(
            image_model="chroma",
            in_channels=64,
            out_channels=64,
            context_in_dim=48,
            hidden_size=64,
            mlp_ratio=2.0,
            num_heads=4,
            depth=2,
            depth_single_blocks=2,
            axes_dim=[4, 6, 6],
            theta=10000,
            patch_size=2,
            qkv_bias=True,
            in_dim=64,
            out_dim=64,
            hidden_dim=64,
            n_layers=2,
            txt_ids_dims=[],
            vec_in_dim=None,
        ),
        _text(48),
        {},
        16,
        None,
    ),
    "sd3": ("SD3", _SD3, _text(48), _POOLED, 16, None),
    "sd35_medium": ("SD3", {**_SD3, "x_block_self_attn_layers": [0]}, _text(48), _POOLED, 16, None),
    "auraflow": (
        "AuraFlow",
        dict(cond_seq_dim=48, n_layers=2, n_double_layers=1, dim=64, n_heads=4, max_seq=256, global_conddim=64),
        _text(48),
        {},
        4,
        None,
    ),
    "qwen_image": (
        "QwenImage",
        dict(
            image_model="qwen_image",
            patch_size=2,
            in_channels=64,
            out_channels=16,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=4,
            joint_attention_dim=48,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 6, 6),
        ),
        _text(48),
        {},
        16,
        1,
    ),
    "lumina2": ("Lumina2", dict(_LUMINA, dim=64, n_heads=4, n_kv_heads=2), _text(48), {}, 16, None),
    "z_image": (
        "ZImage",
        dict(
            _LUMINA,
            dim=256,
            n_heads=16,
            n_kv_heads=16,
            rope_theta=256.0,
            z_image_modulation=True,
            time_scale=1000.0,
            pad_tokens_multiple=32,
        ),
        _text(48),
        {},
        16,
        None,
    ),
    "krea2": (
        "Krea2",
        dict(
            image_model="krea2",
            features=64,
            tdim=32,
            txtdim=24,
            heads=4,
            kvheads=2,
            multiplier=2,
            layers=2,
            patch=2,
            channels=16,
            txtlayers=2,
            txtheads=2,
            txtkvheads=2,
        ),
        _text(48),
        {},
        16,
        1,
    ),
    "omnigen2": (
        "Omnigen2",
        dict(
            image_model="omnigen2",
            patch_size=2,
            in_channels=16,
            hidden_size=64,
            num_layers=2,
            num_refiner_layers=1,
            num_attention_heads=4,
            num_kv_heads=2,
            multiple_of=16,
            ffn_dim_multiplier=None,
            norm_eps=1e-5,
            axes_dim_rope=(4, 6, 6),
            axes_lens=(64, 64, 64),
            text_feat_dim=48,
            timestep_scale=1000.0,
        ),
        _text(48),
        {"attention_mask": _ones()},
        16,
        None,
    ),
    "hidream": (
        "HiDream",
        dict(
            image_model="hidream",
            attention_head_dim=16,
            axes_dims_rope=[4, 6, 6],
            in_channels=16,
            out_channels=16,
            llama_layers=[0, 1, 0, 1],
            max_resolution=[32, 32],
            num_attention_heads=4,
            num_layers=2,
            num_single_layers=2,
            num_routed_experts=2,
            num_activated_experts=1,
            patch_size=2,
            text_emb_dim=32,
            caption_channels=[48, 48],
        ),
        _text(48),
        {**_POOLED, "conditioning_llama3": lambda g: torch.randn(1, 2, TEXT, 48, generator=g)},
        16,
        None,
    ),
    # text cross-attention
    "anima": (
        "Anima",
        dict(_COSMOS, image_model="anima", crossattn_emb_channels=1024),
        _text(1024),
        {
            "t5xxl_ids": lambda g: torch.randint(0, 32128, (TEXT - 3,), generator=g, dtype=torch.int),
            "t5xxl_weights": lambda g: torch.ones(TEXT - 3),
        },
        16,
        1,
    ),
    "cosmos_predict2": (
        "CosmosT2IPredict2",
        dict(_COSMOS, image_model="cosmos_predict2", crossattn_emb_channels=48),
        _text(48),
        {},
        16,
        1,
    ),
    "wan21": ("WAN21_T2V", _WAN, _text(48), {}, 16, 3),
    "wan21_i2v": ("WAN21_I2V", {**_WAN, "model_type": "i2v", "in_dim": 36}, _text(48), {}, 16, 3),
    "wan22_5b": ("WAN22_T2V", {**_WAN, "in_dim": 48, "out_dim": 48}, _text(48), {}, 48, 3),
    "ltxv": ("LTXV", dict(_LTX, image_model="ltxv", in_channels=128), _text(48), {"attention_mask": _ones()}, 128, 3),
    "kandinsky5": ("Kandinsky5Image", dict(_KANDINSKY, visual_embed_dim=64), _text(48), _POOLED, 16, 1),
    "kandinsky5_video": ("Kandinsky5", dict(_KANDINSKY, visual_embed_dim=132), _text(48), _POOLED, 16, 3),
    "pixart_sigma": (
        "PixArtSigma",
        dict(
            image_model="pixart_sigma",
            patch_size=2,
            hidden_size=96,
            depth=2,
            num_heads=6,
            caption_channels=48,
            model_max_length=TEXT,
            input_size=16,
            pe_interpolation=1,
            micro_condition=False,
        ),
        _text(48),
        {},
        4,
        None,
    ),
    "hunyuan_dit": (
        "HunyuanDiT",
        dict(
            image_model="hydit",
            depth=4,
            hidden_size=64,
            num_heads=4,
            mlp_ratio=2.0,
            text_states_dim=48,
            text_states_dim_t5=32,
            text_len=77,
            text_len_t5=256,
            size_cond=True,
            use_style_cond=True,
        ),
        _text(48, 77),
        {
            "attention_mask": lambda g: (torch.arange(77) < 20)[None].float(),
            "conditioning_mt5xl": lambda g: torch.randn(1, 256, 32, generator=g),
            "attention_mask_mt5xl": lambda g: (torch.arange(256) < 15)[None].float(),
        },
        4,
        None,
    ),
}
SIZES = {"pixart_sigma": (48, 40)}  # PixArt divides by round(mean side / 64): 32 and below is a division by zero
_PLAIN = ("z_image", "auraflow", "sd3", "sd35_medium")  # families whose class's unet_config is no constructor argument


def present() -> list[str]:
    """The families that this ComfyUI has."""
    return [name for name, family in FAMILIES.items() if hasattr(models, family[0])]


def build(name: str, seed: int = 0, dtype: torch.dtype = torch.float32, compute: torch.dtype | None = None):
    """A ModelPatcher around a tiny random model; ``compute`` is the dtype that weights are cast to at each call."""
    kind, unet = getattr(models, FAMILIES[name][0]), FAMILIES[name][1]
    model = model_of(kind, unet if name in _PLAIN else {**kind.unet_config, **unet}, dtype, compute)
    randomize(model.diffusion_model, seed)
    return patcher_of(model)


def model_of(kind: type, unet: dict, dtype: torch.dtype = torch.float32, compute: torch.dtype | None = None):
    """A BaseModel of a class of comfy.supported_models, its weights as they come."""
    config = kind(dict(unet))
    config.unet_config = dict(unet)
    for key, value in getattr(kind, "unet_extra_config", {}).items():
        config.unet_config.setdefault(key, value)
    config.set_inference_dtype(dtype, compute)
    return _construct(config)


def patcher_of(model):
    """A ModelPatcher around a BaseModel, on the CPU."""
    wrap = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return wrap(model, load_device=torch.device("cpu"), offload_device=torch.device("cpu"))


def _construct(config):
    """The model; constructor arguments that an older ComfyUI does not know yet are left out."""
    while True:
        try:
            return config.get_model({}, device=torch.device("cpu"))
        except TypeError as error:
            unknown = str(error).rpartition("unexpected keyword argument ")[2].strip("'")
            if unknown not in config.unet_config:
                raise
            del config.unet_config[unknown]


def randomize(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Norm weights near 1, matrices 0.7/sqrt(fan-in), biases small: activations stay finite and every part shows."""
    state = {}
    for key, tensor in module.state_dict().items():
        if tensor.is_floating_point() and tensor.numel():
            g = torch.Generator().manual_seed(
                seed + zlib.crc32(key.replace(".scale", ".weight").encode())
            )  # by name: the same weights in every version
            noise = torch.randn(tensor.shape, generator=g)
            is_norm = "norm" in key and key.endswith(("weight", "scale"))
            state[key] = (
                noise * 0.7 / tensor[0].numel() ** 0.5 if tensor.ndim > 1 else noise * 0.1 + float(is_norm)
            ).to(tensor.dtype)
    module.load_state_dict(state, strict=False)
    return module.requires_grad_(False)


def latent(name: str, batch: int = 1, size: tuple[int, int] | None = None, frames: int | None = None) -> torch.Tensor:
    channels, default = FAMILIES[name][4:6]
    time_axis = () if default is None else (frames or default,)
    return torch.zeros(batch, channels, *time_axis, *(size or SIZES.get(name, SIZE)))


def conditioning(name: str, seed: int = 5, tokens: int | None = None) -> list:
    """What a CLIP Text Encode of the family gives, of random numbers; ``tokens`` other than the default length."""
    (length, width), extra = FAMILIES[name][2:4]
    g = torch.Generator().manual_seed(seed)
    embedding = torch.randn(1, tokens or length, width, generator=g)
    entries = {"pooled_output": None, **{key: value(g) if callable(value) else value for key, value in extra.items()}}
    if tokens is not None:
        for key, axis in (("attention_mask", 1), ("conditioning_llama3", 2)):
            if key in entries and name != "hunyuan_dit":
                entries[key] = entries[key].repeat_interleave(-(-tokens // length), axis).narrow(axis, 0, tokens)
    return [[embedding, entries]]


def sample(
    name: str,
    patcher,
    steps: int = 2,
    cfg: float = 2.0,
    seed: int = 1,
    batch: int = 1,
    size: tuple[int, int] | None = None,
    frames: int | None = None,
    positive: list | None = None,
    negative: list | None = None,
    **more,
) -> torch.Tensor:
    """KSampler's own path: Euler, simple schedule; ``more`` goes to `comfy.sample.sample`."""
    empty = latent(name, batch, size, frames)
    noise = comfy.sample.prepare_noise(empty, seed)
    with torch.inference_mode():
        return comfy.sample.sample(
            patcher,
            noise,
            steps,
            cfg,
            "euler",
            "simple",
            positive or conditioning(name, 5),
            negative or conditioning(name, 6),
            empty,
            seed=seed,
            disable_pbar=True,
            **more,
        )
