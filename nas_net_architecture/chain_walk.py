"""Many chains decided side by side: masks and sizes by arrays, one decision of all at a time.

An action is legal while the plainest way to finish after it is a network within the limits. What
that network costs is the sum of the layers that are complete, of the layer being decided with the
plainest values for what is still open, of the plainest layers behind it, and of the classifier.
"""

from collections.abc import Hashable

import numpy as np

from nas_net_architecture.chain_arrays import (
    STRIDES,
    Maps,
    Sums,
    Tails,
    Whole,
    classifier,
    layer,
    numbers,
)
from nas_net_architecture.chain_config import NO_LIMITS, ChainSpaceConfig, Decision, Option

NONE = Maps(0, 0, 0)
ALONE = 0
WITHOUT = np.array([[1], [0]])  # of not reading a source and reading it, the first


class ChainRules:
    """What all walks of a space share."""

    def __init__(
        self,
        config: ChainSpaceConfig,
        decisions: tuple[Decision, ...],
        options: list[tuple[Option, ...]],
        first: list[int],
        plain: list[int],
        image: tuple[int, int, int],
        classes: int,
        n_actions: int,
    ) -> None:
        """Take the space's decisions.

        Args:
            config: The space.
            decisions: In order.
            options: Of each decision.
            first: The number of each decision's first action.
            plain: The number of each decision's plainest option.
            image: Height, width, channels.
            classes: Of the classifier.
            n_actions: A.
        """
        self.config = config
        self.decisions = decisions
        self.first = first
        self.image = Maps(*image)
        self.classes = classes
        self.n_actions = n_actions
        self.counts = [len(values) for values in options]
        # [options, 1]: of a decision about a layer, what each option counts as.
        self.values = [
            numbers(decision.kind, values)[:, None]
            for decision, values in zip(decisions, options, strict=True)
        ]
        self.plain = self._plainest(plain)
        self.depth = config.depths[-1]
        # Convolutions pad, so that only pooling and limits can make a network impossible.
        self.all_fit = config.limits == NO_LIMITS and max(config.pools) == 1
        self.tails = Tails.of(config, self.plain, image)

    def _plainest(self, plain: list[int]) -> dict[str, Whole]:
        """Return what the plainest option of each kind of choice counts as; else the only one."""
        choices = self.config.choices
        named = choices | {kind: choices["strides"] for kind in STRIDES}
        found: dict[str, Whole] = {kind: int(numbers(kind, named[kind])[0]) for kind in named}
        for decision, values, option in zip(self.decisions, self.values, plain, strict=True):
            if decision.kind in found:
                found[decision.kind] = int(values[option, 0])
        return found

    def everything(self, number: int) -> np.ndarray:
        """Return the mask of decision `number` where nothing is impossible, bools [A]."""
        mask = np.zeros(self.n_actions, bool)
        mask[self.first[number] : self.first[number] + self.counts[number]] = True
        return mask

    def layer_of(self, number: int) -> int:
        """Return the layer that decision `number` is about; behind the last, that after them."""
        return self.decisions[number].layer if number < len(self.decisions) else self.depth

    def total(self, sums: Sums, end: Maps, several: Whole) -> Sums:
        """Return what whole networks cost.

        Args:
            sums: What their layers cost.
            end: What the classifier reads, joined.
            several: 1 where it reads several maps, else 0.
        """
        average = self.config.average
        return sums.plus(classifier(end, several, self.classes, average))


class ChainWalk:
    """A batch of chains, all at the same decision."""

    def __init__(self, rules: ChainRules, batch: int) -> None:
        """Begin with nothing decided in `batch` networks."""
        self._rules = rules
        self._batch = batch
        self._number = 0  # of the next decision
        self._last = [-1] * batch  # the action before it
        self._depths: Whole = rules.config.depths[0]
        self._sums = Sums(0, 0, int(rules.image.numbers))
        # What complete layers put out, and 1 where nobody reads it yet.
        self._ends = np.zeros((rules.depth, 3, batch), np.int64)
        self._unread = np.zeros((rules.depth, batch), np.int64)
        self._open(0)
        self._complete_until(rules.layer_of(0))

    def _open(self, number: int) -> None:
        """Begin with a layer: the plainest values, and nothing read."""
        self._layer = number
        self._own = dict(self._rules.plain)
        self._read, self._sources = NONE, np.zeros(self._batch, np.int64)
        before = [number - 1] if number > 0 else []
        self._others, self._several = self._unread_but(before)

    def _before(self) -> Maps:
        """Return what the layer before puts out, or the image."""
        return Maps(*self._ends[self._layer - 1]) if self._layer > 0 else self._rules.image

    def _unread_but(self, left_out: list[int]) -> tuple[Maps, Whole]:
        """Return the complete layers' maps that nobody reads, joined, and how many they are."""
        if self._layer <= len(left_out) or not self._rules.config.skips:
            return NONE, 0
        unread = self._unread[: self._layer].copy()
        unread[left_out] = 0
        maps = self._ends[: self._layer] * unread[:, None]
        return _all_joined(maps), unread.sum(axis=0)

    def masks(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks [B, A] and whether each architecture is unfinished [B]."""
        rules, number = self._rules, self._number
        masks = np.zeros((self._batch, rules.n_actions), bool)
        made = np.full(self._batch, rules.layer_of(number) < self._depths)
        if number < len(rules.decisions):
            first, count = rules.first[number], rules.counts[number]
            masks.T[first : first + count] = True if rules.all_fit else self._fits(number)
        if not made.all():
            masks[~made] = False
            masks[~made, 0] = True
        return masks, made

    def _fits(self, number: int) -> np.ndarray:
        """Return which options leave the plainest network within the limits.

        Bools [O, B], or an axis less where all are alike.
        """
        rules, kind = self._rules, self._rules.decisions[number].kind
        values, depths = rules.values[number], self._depths
        if kind == "skip":
            return self._skips_fit(rules.decisions[number].source)
        if kind == "depth":
            depths = values
        own = self._own if kind == "depth" else {**self._own, kind: values}
        return self._finished(own, self._before(), depths, self._others, self._several)

    def _skips_fit(self, source: int) -> np.ndarray:
        """Return the same for reading a source or not [2, B]."""
        earlier, last = Maps(*self._ends[source]), source == self._layer - 1
        read, count = self._read, self._sources
        if not last:  # the plainest way is to read the layer before as well
            read, count = read.joined(self._before()), count + 1
        without = read.where(np.asarray(count > 0), self._rules.image)
        maps = _stacked(without, read.joined(earlier), self._batch)
        counts = np.array((count, count + 1))
        left_out = [source] if last else [source, self._layer - 1]
        others, several = self._unread_but(left_out)
        unread = self._unread[source]
        with_it = others.joined(Maps(*(self._ends[source] * unread)))
        more = unread * WITHOUT + several
        return self._finished(
            self._own, maps, self._depths, _stacked(with_it, others, self._batch), more, counts > 1
        )

    def _finished(
        self,
        own: dict[str, Whole],
        read: Maps,
        depths: Whole,
        others: Maps,
        several: Whole,
        joins: Whole = ALONE,
    ) -> np.ndarray:
        """Return whether networks are within the limits that end plainly behind a layer.

        Args:
            own: The layer's values.
            read: The maps that it reads, joined.
            depths: The networks' numbers of layers.
            others: The maps that only the classifier reads beside the last, joined.
            several: How many they are.
            joins: 1 where the layer reads several maps.
        """
        added, out = layer(own, read)
        behind, end = self._rules.tails.behind(out, depths - 1 - self._layer)
        sums = self._sums.plus(added).plus(behind)
        if joins is not ALONE:
            sums = sums._replace(kept=sums.kept + read.numbers * joins)
        if others is not NONE:
            end, several = end.joined(others), np.minimum(several, 1)
        total = self._rules.total(sums, end, several)
        return total.within(self._rules.config.limits)

    def step(self, actions: np.ndarray, made: np.ndarray) -> None:
        """Take one decision in every unfinished architecture.

        Args:
            actions: Legal ones [B].
            made: Bools [B]: False where there is nothing left to decide.
        """
        rules, number = self._rules, self._number
        decision = rules.decisions[number]
        option = np.where(made, actions - rules.first[number], 0)
        values = rules.values[number][:, 0].take(option)
        if decision.kind == "depth":
            self._depths = values
        elif decision.kind == "skip":
            self._connect(decision.source, values)
        else:
            self._own[decision.kind] = values
        self._number += 1
        self._last = actions.tolist()
        self._complete_until(rules.layer_of(self._number))

    def _connect(self, source: int, chosen: np.ndarray) -> None:
        """Let the layer read an earlier one where `chosen` [B] is 1."""
        self._read = self._read.joined(Maps(*(self._ends[source] * chosen)))
        self._sources = self._sources + chosen
        self._unread[source] &= 1 - chosen

    def _complete_until(self, number: int) -> None:
        """Count the layers before layer `number`, about which nothing is left to decide."""
        while self._layer < number:
            active = np.asarray(self._layer < self._depths).astype(np.int64)
            read = self._before()
            if self._rules.config.skips:
                read = self._read.where(np.asarray(self._sources > 0), self._rules.image)
            elif self._layer > 0:
                self._unread[self._layer - 1] &= 1 - active
            added, out = layer(self._own, read)
            kept = added.kept + read.numbers * np.asarray(self._sources > 1)
            added = added._replace(kept=kept)
            self._sums = self._sums.plus(Sums(*(figure * active for figure in added)))
            for row, side in zip(self._ends[self._layer], out, strict=True):
                row[:] = side * active
            self._unread[self._layer] = active
            self._open(self._layer + 1)

    def keys(self) -> list[Hashable]:
        """Return the number of the decision and the action before it, -1 for none [B]."""
        return [(self._number, action) for action in self._last]

    def sizes(self) -> np.ndarray:
        """Return parameters and MACs of finished networks, int64 [B, 2]."""
        unread = self._unread
        maps = self._ends * unread[:, None]
        end = _all_joined(maps)
        total = self._rules.total(self._sums, end, (unread.sum(axis=0) > 1).astype(np.int64))
        return np.stack(total[:2], axis=1)


def _stacked(one: Maps, two: Maps, batch: int) -> Maps:
    """Return two arrays of maps as one [2, B]."""
    both = np.empty((3, 2, batch), np.int64)
    for row, a, b in zip(both, one, two, strict=True):
        row[0], row[1] = a, b
    return Maps(both[0], both[1], both[2])


def _all_joined(maps: np.ndarray) -> Maps:
    """Return K maps of B networks each, joined, from [K, 3, B]; those of size 0 are none."""
    return Maps(maps[:, 0].max(axis=0), maps[:, 1].max(axis=0), maps[:, 2].sum(axis=0))
