"""A second oracle: self-labelling transcribed into plain Python loops from the description of the method."""


def normalised(matrix, axis):
    """Divide by row sums (axis 1) or column sums (axis 0)."""
    if axis == 1:
        return [[x / sum(row) for x in row] for row in matrix]
    return transposed(normalised(transposed(matrix), 1))


def transposed(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


def first_best(values):
    return max(range(len(values)), key=lambda i: (values[i], -i))


def mutual(rows, columns):
    by_column = transposed(columns)
    best_row = [first_best(column) for column in by_column]
    return {(i, j) for i, row in enumerate(rows) for j in [first_best(row)] if best_row[j] == i}


def plans(similarity, rounds, clamp):
    plan = columns = [[max(clamp, x) for x in row] for row in similarity]
    for _ in range(rounds):
        columns = normalised(plan, 0)
        plan = normalised(columns, 1)
    return plan, columns


def filtered(plan, rounds, alpha):
    n_source, n_target = len(plan), len(plan[0])
    links = mutual(plan, plan)
    if min(n_source, n_target) <= 2:
        return links
    for _ in range(rounds - 1):
        rows, columns = {i for i, _ in links}, {j for _, j in links}
        if len(rows) == n_source or len(columns) == n_target:
            break
        shut = {(i, j) for i in rows for j in columns}
        weakened = [
            [0.0 if (i, j) in shut else plan[i][j] * (alpha if (i in rows) != (j in columns) else 1.0) for j in range(n_target)]
            for i in range(n_source)
        ]
        added = mutual(weakened, weakened) - shut - links
        if not added:
            break
        links |= added
    return links
