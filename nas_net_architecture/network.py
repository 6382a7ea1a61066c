"""Named cell networks: the published NASNet-A in its sizes, and a small one for benchmarks.

Cells are written as in the authors' release: hidden state 0 is the current input h_i, 1 the
previous one h_{i-1}, 2 to 6 are the blocks. Its outputs are not simply the unread states: the
normal cell hands on h_{i-1} as well, the reduction cell the second block as well.
"""

from nas_core.spec import Block, Cell, CellSpec, filters_for

NASNET_A_NORMAL = Cell(
    (
        Block(0, 1, "sep5", "sep3"),
        Block(1, 1, "sep5", "sep3"),
        Block(0, 1, "avg3", "identity"),
        Block(1, 1, "avg3", "avg3"),
        Block(0, 0, "sep3", "identity"),
    ),
    concat=(1, 2, 3, 4, 5, 6),
)

NASNET_A_REDUCTION = Cell(
    (
        Block(0, 1, "sep5", "sep7"),
        Block(0, 1, "max3", "sep7"),
        Block(0, 1, "avg3", "sep5"),
        Block(3, 2, "identity", "avg3"),
        Block(2, 0, "sep3", "max3"),
    ),
    concat=(3, 4, 5, 6),
)


def nasnet_a_cifar(
    repeats: int = 6, penultimate: int = 768, classes: int = 10, long_training: bool = False
) -> CellSpec:
    """Return NASNet-A N@P for 32x32 images; 6@768 has 3.4 million weights.

    Args:
        repeats: N, the normal cells in each of the three stacks.
        penultimate: P, the channels before the classifier; a multiple of 24.
        classes: Outputs.
        long_training: Whether to add what the published 600 epochs have: drop-path down to 0.6
            and the auxiliary head (1.6 million weights that the finished model does without).
    """
    return CellSpec(
        NASNET_A_NORMAL,
        NASNET_A_REDUCTION,
        repeats=repeats,
        filters=filters_for(penultimate, NASNET_A_NORMAL),
        classes=classes,
        auxiliary_head=long_training,
        drop_path_keep=0.6 if long_training else 1.0,
    )


def nasnet_a_mobile(classes: int = 1000) -> CellSpec:
    """Return NASNet-A 4@1056, made for 224x224 images: 5.3 million weights."""
    return CellSpec(
        NASNET_A_NORMAL,
        NASNET_A_REDUCTION,
        repeats=4,
        filters=filters_for(1056, NASNET_A_NORMAL),
        classes=classes,
        stem="imagenet",
        stem_multiplier=1,
        dropout=0.5,
        batch_norm_momentum=0.9997,
    )


def nasnet_a_large(classes: int = 1000) -> CellSpec:
    """Return NASNet-A 6@4032, made for 331x331 images: 88.9 million weights."""
    return CellSpec(
        NASNET_A_NORMAL,
        NASNET_A_REDUCTION,
        repeats=6,
        filters=filters_for(4032, NASNET_A_NORMAL),
        classes=classes,
        stem="imagenet",
        stem_multiplier=3,
        skip_reduction=True,
        dropout=0.5,
        drop_path_keep=0.7,
        batch_norm_momentum=0.9997,
    )


def nasnet_like_small(classes: int = 10, filters: int = 16) -> CellSpec:
    """Return a child of a short search: stem, one normal and one reduction cell of NASNet-A."""
    return CellSpec(
        NASNET_A_NORMAL,
        NASNET_A_REDUCTION,
        repeats=(1, 0),
        filters=filters,
        classes=classes,
        stem_multiplier=1,
    )
