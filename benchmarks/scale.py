"""How do time and memory grow with rows, features, categories and counterfactuals?

Each call of ``scale_tasks.py`` is measured at growing sizes, each time in a process of its own: CPU
seconds on one thread, and the peak of the resident memory above that before the call. The table
shows both at the largest size, and the exponents with which they grow: the slopes of the upper half
of the curve on logarithmic axes. An exponent of 1 is linear. A curve ends where the next size is
expected to take more than ``--seconds``. There are four parts:

- *rows*: 1,000 to 1,000,000 rows of ten numbers, which are explained and rated; metrics that
  compare two samples receive as many observed rows. One row of 1,000 is proven;
- *features*: 1,000 rows of 2 to 3,000 numbers, two of which are proven;
- *categories*: 1,000 rows with 10 to 10,000 categories in columns of at most 100;
- *counterfactuals*: fits with 100 to 100,000 searches in an epoch, on 100,000 rows.

All parts take half an hour on one core, and with ``--quick`` less than three minutes. Memory is
read from ``/proc``, which Linux has. The curves are written to ``results/scale.csv`` and drawn in
``results/scale.png``, unless ``--quick`` is given::

    python benchmarks/scale.py [--part rows features categories counterfactuals] [--quick]
"""

import argparse
import ctypes
import gc
import multiprocessing
import os
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import machine
import numpy as np
import pandas as pd
import scale_tasks as tables
from scale_tasks import TASKS

# Numbers of the parameters of malloc, as in malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
RESULTS = Path(__file__).parent / "results"
# Title of the axis, function that returns the inputs, and sizes.
PARTS = {
    "rows": (
        "rows",
        tables.table_of_rows,
        (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000),
    ),
    "features": ("features", tables.table_of_features, (2, 10, 30, 100, 300, 1_000, 3_000)),
    "categories": (
        "categories in all columns",
        tables.table_of_categories,
        (10, 30, 100, 300, 1_000, 3_000, 10_000),
    ),
    "counterfactuals": (
        "counterfactuals per epoch",
        tables.table_of_searches,
        (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000),
    ),
}
QUICK = {"rows": 10_000, "features": 100, "categories": 300, "counterfactuals": 3_000}
# Exponents up to here count as linear: a sort adds a logarithm, and large arrays leave the caches.
LINEAR = 1.2
# Curves below these values are constants, such as the import of a module.
LEAST = {"seconds": 0.02, "megabytes": 5}
# Why an exponent may be larger.
REASONS = {
    "maximum_mean_discrepancy": "it compares all pairs of rows",
    "nearest_neighbor_distance": "in ten dimensions, a tree compares most pairs of rows",
}
# The curves of the figure that have a name; the others are gray.
NAMED = {
    "fit": "C0",
    "explain, nearest": "C1",
    "explain, ECCCo": "C2",
    "prove": "C3",
    "maximum_mean_discrepancy": "C4",
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--task", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--size", nargs="+", type=int, help="sizes to measure, of those above")
    parser.add_argument("--seconds", type=float, default=20, help="of the longest measurement")
    parser.add_argument("--quick", action="store_true", help="small sizes, no file")
    args = parser.parse_args()
    if args.quick:
        args.seconds = min(args.seconds, 2)
    print(machine.describe())
    for part in args.part:
        show(part, curves(part, args))


def curves(part, args):
    """Return the lines of a part: size, task, seconds and megabytes."""
    _, prepare, sizes = PARTS[part]
    if args.quick:
        sizes = [size for size in sizes if size <= QUICK[part]]
    if args.size:
        sizes = [size for size in sizes if size in args.size]
    tasks = ["fit"] if part == "counterfactuals" else args.task
    lines = []
    for size in sizes:
        remaining = [task for task in tasks if is_affordable(lines, task, size, args.seconds)]
        figures = in_child(measure_all, prepare, size, remaining)
        lines += [{"part": part, "size": size, **line} for line in figures]
        print(f"{part} {size:,}: {sum(line['seconds'] for line in figures):.1f} s", flush=True)
        # A run that is interrupted keeps the sizes that it has measured.
        if not args.quick:
            keep(pd.DataFrame(lines))
    return pd.DataFrame(lines)


def is_affordable(lines, task, size, seconds):
    """Return whether a task at the next size is expected to take less than a limit."""
    known = [(line["size"], line["seconds"]) for line in lines if line["task"] == task]
    if not known:
        return True
    slope = max(1.0, exponent(*zip(*known[-2:], strict=True)) if len(known) > 1 else 1.0)
    last_size, last_seconds = known[-1]
    return last_seconds * (size / last_size) ** slope <= seconds


def measure_all(prepare, size, tasks):
    """Return the figures of all tasks at one size, each measured in a fork of this process."""
    # Small trainings are not mature, of which users are warned.
    warnings.simplefilter("ignore")
    inputs = prepare(size)
    # What the tasks share is made before the fork, so that it enters none of the figures.
    _ = inputs.explanation, inputs.alternatives, inputs.encoded
    # Otherwise the garbage collection of each fork copies the pages of all objects.
    gc.freeze()
    return [{"task": task, **in_child(measure, TASKS[task], inputs)} for task in tasks]


def measure(task, inputs):
    """Return the CPU seconds of a task and the megabytes that it needs at its peak."""
    # The first call loads what any size needs.
    task(inputs.head(100))
    gc.collect()
    libc = ctypes.CDLL(None)
    # The C library keeps freed memory, in which the task could hide its own.
    libc.malloc_trim(0)
    # From now on it keeps arrays of any size: whether pages are reused must not depend on the size.
    libc.mallopt(M_MMAP_THRESHOLD, 2**30)
    libc.mallopt(M_TRIM_THRESHOLD, -1)
    before = resident_megabytes("VmRSS")
    # Linux then starts to measure the peak anew.
    Path("/proc/self/clear_refs").write_text("5")
    times = [cpu_seconds(task, inputs)]
    megabytes = resident_megabytes("VmHWM") - before
    # The first call also pays for new pages. Others follow unless it was long; the fastest counts.
    while (len(times) < 2 and times[0] < 5) or (sum(times) < 0.2 and len(times) < 5):
        times.append(cpu_seconds(task, inputs))
    return {"seconds": min(times), "megabytes": max(megabytes, 0.0)}


def cpu_seconds(task, inputs):
    start = time.process_time()
    task(inputs)
    return time.process_time() - start


def resident_megabytes(field):
    """Return a field of the status of this process: resident memory now, or at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def in_child(function, *args):
    """Return the result of a function that runs in a fork of this process."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(function(*args)))
    child.start()
    # Only the child may hold the sending end: its death then ends the wait.
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        raise SystemExit(f"{function.__name__}{args[1:]} failed; see above.") from None
    finally:
        child.join()


def exponent(sizes, values):
    """Return the slope of a curve on logarithmic axes."""
    return np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-6)), 1)[0]


def upper_exponent(curve, quantity):
    """Return the exponent of the upper half of a curve; 0 if all of it is small."""
    upper = curve.iloc[len(curve) // 2 :]
    if len(upper) < 2 or upper[quantity].max() < LEAST[quantity]:
        return 0.0
    values = np.maximum(upper[quantity], LEAST[quantity] / 10)
    return exponent(upper["size"], values)


def show(part, lines):
    """Print a table of the largest sizes and exponents, and which are above 1."""
    print(f"\n{part:26}{'up to':>12}{'seconds':>10}{'exponent':>10}{'MB':>10}{'exponent':>10}")
    for task, curve in lines.groupby("task", sort=False):
        last = curve.iloc[-1]
        slopes = {quantity: upper_exponent(curve, quantity) for quantity in LEAST}
        above = [name for name, slope in slopes.items() if slope > LINEAR]
        remark = f"  above linear: {', '.join(above)}" if above else ""
        if above and task in REASONS:
            remark += f" ({REASONS[task]})"
        print(
            f"{task:26}{last['size']:>12,}{last['seconds']:>10.3f}{slopes['seconds']:>10.2f}"
            f"{last['megabytes']:>10,.0f}{slopes['megabytes']:>10.2f}{remark}",
            flush=True,
        )
    print()


def keep(lines):
    """Write the lines to a file, replacing those of the same parts, tasks and sizes; draw all."""
    path = RESULTS / "scale.csv"
    if path.exists():
        lines = pd.concat([pd.read_csv(path), lines])
        lines = lines.drop_duplicates(["part", "task", "size"], keep="last")
        lines = lines.sort_values(["part", "task", "size"])
    lines.to_csv(path, index=False, float_format="%.4g")
    draw(lines, RESULTS / "scale.png")


def draw(lines, path):
    """Draw time and memory over the size, a column of panels for each part."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    parts = [part for part in PARTS if part in set(lines["part"])]
    figure, panels = plt.subplots(
        2, len(parts), figsize=(3.2 * len(parts), 5.6), sharex="col", squeeze=False
    )
    labels = {"seconds": "CPU seconds", "megabytes": "MB above the input"}
    for row, (quantity, label) in zip(panels, labels.items(), strict=True):
        row[0].set_ylabel(label)
        for panel, part in zip(row, parts, strict=True):
            draw_panel(panel, lines[lines["part"] == part], quantity)
            if quantity == "megabytes":
                panel.set_xlabel(PARTS[part][0])
    handles = [plt.Line2D([], [], color=color) for color in (*NAMED.values(), "0.75")]
    handles.append(plt.Line2D([], [], color="black", linestyle=":"))
    names = [*NAMED, "other metrics and scorers", "linear"]
    figure.legend(handles, names, loc="lower center", ncol=4, frameon=False)
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    figure.savefig(path, dpi=100, pil_kwargs={"optimize": True})


def draw_panel(panel, lines, quantity):
    """Draw the curves of one part, and lines of slope 1 behind them."""
    panel.set(xscale="log", yscale="log")
    for task, curve in lines.groupby("task", sort=False):
        values = curve[quantity].clip(lower=LEAST[quantity] / 20)
        color, order = (NAMED[task], 3) if task in NAMED else ("0.75", 2)
        panel.plot(curve["size"], values, color=color, zorder=order, marker=".")
    sizes = np.array([lines["size"].min(), lines["size"].max()])
    low, high = panel.get_ylim()
    # A curve that hardly rises would fill the panel otherwise.
    center, reach = np.sqrt(low * high), max(np.sqrt(high / low), 30)
    low, high = center / reach, center * reach
    for level in (low, center):
        panel.plot(sizes, level * sizes / sizes[0], "k:", linewidth=0.7, zorder=1)
    panel.set_ylim(low, high)


if __name__ == "__main__":
    main()
