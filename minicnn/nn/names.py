"""Names of parameters that a wrapper has put something before."""

from collections.abc import Collection, Mapping

WRAPPERS = ("module", "_orig_mod")  # DataParallel and AveragedModel; torch.compile
COUNT = "n_averaged"  # what AveragedModel keeps beside the weights


def unwrapped(names: Collection[str], wanted: Collection[str]) -> dict[str, str]:
    """The wanted name for each of `names`, if only wrappers' parts, or one prefix before
    all, stand between the two; otherwise nothing.

    >>> unwrapped(["_orig_mod.module.0.weight", "n_averaged"], ["0.weight"])
    {'_orig_mod.module.0.weight': '0.weight'}
    >>> unwrapped(["model.0.weight"], ["0.weight"])
    {'model.0.weight': '0.weight'}
    >>> unwrapped(["module.0.weight"], ["0.weight", "0.bias"])
    {}

    A layer of one's own may be called `module`; so nothing is left out unless all names
    fit then.
    """
    bare = {name: _bare(name) for name in names if name != COUNT}
    first = next(iter(wanted), "")
    before = {name.removesuffix(first) for name in bare.values() if name.endswith(f".{first}")}
    for prefix in ["", *sorted(before)]:
        if sorted(bare.values()) == sorted(prefix + name for name in wanted):
            return {old: new.removeprefix(prefix) for old, new in bare.items()}
    return {}


def _bare(name: str) -> str:
    """Without what wrappers put before its parts."""
    own = [part for part in name.split(".") if part not in WRAPPERS]
    return ".".join(own)


def left_out(fitting: Mapping[str, str]) -> str:
    """The parts of the old names that the new ones do not have.

    >>> left_out({"_orig_mod.module.0.bias": "0.bias", "cnn.module.1.bias": "cnn.1.bias"})
    '_orig_mod., module.'
    """
    parts: dict[str, None] = {}  # in order, each once
    for old, new in fitting.items():
        kept = new.split(".")
        left = [part for part in reversed(old.split(".")) if not (kept and part == kept[-1] and kept.pop())]
        parts |= dict.fromkeys(reversed(left))
    return ", ".join(f"{part}." for part in parts)
