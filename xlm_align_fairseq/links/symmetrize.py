"""Join the links of two directions into one set.

Every function takes ``forward`` (each source word looks for its target) and ``backward`` (each target word looks for its
source), both written as ``(source, target)`` pairs, and returns links sorted and without repetition. Arguments are not changed.
Growing gives the links of Moses' ``symal``, where ``forward`` is its ``srctotgt``, or direct alignment, and ``backward`` its
``tgttosrc``, or inverse one. Of a model that generates the target, as the IBM models do, the links of p(target | source) are
``backward``: each target word has one source.

Reference: Koehn et al., "Edinburgh System Description for the 2005 IWSLT Speech Translation Evaluation", 2005,
with the growing heuristics of Och & Ney (2003) and Koehn, Och & Marcu (2003).
"""

from collections.abc import Iterable

from xlm_align_fairseq.links.pharaoh import Link

# Straight neighbours before diagonal ones: the order decides which link wins a word that only one may take.
_NEIGHBOURS = ((0, -1), (-1, 0), (0, 1), (1, 0), (-1, -1), (1, -1), (-1, 1), (1, 1))


def intersection(forward: Iterable[Link], backward: Iterable[Link]) -> list[Link]:
    """Keep the links found in both directions: few, and precise."""
    return sorted(set(forward) & set(backward))


def union(forward: Iterable[Link], backward: Iterable[Link]) -> list[Link]:
    """Keep the links found in either direction: many, for recall."""
    return sorted(set(forward) | set(backward))


def grow_diag(forward: Iterable[Link], backward: Iterable[Link]) -> list[Link]:
    """Grow the intersection by neighbouring links of the union.

    The grid is scanned by target word, then by source word. At each link held so far, its eight neighbours are
    looked at: a neighbour of the union joins if its source word or its target word has no link yet. Scans repeat until
    nothing joins.

    >>> grow_diag([(0, 0), (1, 1), (1, 2)], [(0, 0), (1, 1), (3, 3)])
    [(0, 0), (1, 1), (1, 2)]
    """
    return sorted(_grow(set(forward), set(backward)))


def grow_diag_final(forward: Iterable[Link], backward: Iterable[Link]) -> list[Link]:
    """Run `grow_diag`, then add links, adjacent or not, whose source word *or* target word has none yet.

    The links of ``backward`` are tried before those of ``forward``, each by target word, then by source word.
    """
    return _final(set(forward), set(backward), both=False)


def grow_diag_final_and(forward: Iterable[Link], backward: Iterable[Link]) -> list[Link]:
    """Run `grow_diag`, then add links, adjacent or not, whose source word *and* target word have none yet.

    The links of ``backward`` are tried before those of ``forward``, each by target word, then by source word.
    """
    return _final(set(forward), set(backward), both=True)


def _by_target(links: Iterable[Link]) -> list[Link]:
    return sorted(links, key=lambda link: (link[1], link[0]))


def _grow(forward: set[Link], backward: set[Link]) -> set[Link]:
    links, candidates = forward & backward, forward | backward
    sources, targets = {i for i, _ in links}, {j for _, j in links}
    size = -1
    while size != len(links):
        size = len(links)
        # Links are a part of the union, so walking the sorted union meets them in the order of a scan of the grid,
        # those that joined earlier in the same scan included.
        for i, j in _by_target(candidates):
            if (i, j) not in links:
                continue
            for step_i, step_j in _NEIGHBOURS:
                near = (i + step_i, j + step_j)
                if near in candidates and near not in links and (near[0] not in sources or near[1] not in targets):
                    links.add(near)
                    sources.add(near[0])
                    targets.add(near[1])
    return links


def _final(forward: set[Link], backward: set[Link], *, both: bool) -> list[Link]:
    links = _grow(forward, backward)
    sources, targets = {i for i, _ in links}, {j for _, j in links}
    for direction in (backward, forward):
        for i, j in _by_target(direction):
            free = (i not in sources, j not in targets)
            if all(free) if both else any(free):
                links.add((i, j))
                sources.add(i)
                targets.add(j)
    return sorted(links)
