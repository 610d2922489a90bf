"""Process a stream ahead in a thread or in several processes, in order and with a bounded number of items in flight."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from xlm_align_fairseq.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT = 3  # items per worker: one in work, the others waiting for the worker or for output in order


def prefetch(items: Iterable[Item], ahead: int = 1) -> Iterator[Item]:
    """Yield the items of a stream that another thread reads ahead; its exceptions are raised here, in order.

    Args:
        items: the stream; it is used by that thread alone.
        ahead: maximum number of waiting items, besides the one being read.
    """
    ready: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(ahead)
    stop = threading.Event()

    def put(item: Item | None, error: BaseException | None) -> bool:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((item, error), timeout=0.1)
                return True
        return False

    def read() -> None:
        try:
            for item in items:
                if not put(item, None):
                    return
            put(None, StopIteration())
        except BaseException as error:
            put(None, error)

    reader = threading.Thread(target=read, daemon=True, name="prefetch")
    reader.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        stop.set()


def ordered_map(
    make: Callable[[], Callable[[Item], Result]], items: Iterable[Item], workers: int, preload: Iterable[str] = ()
) -> Iterator[Result]:
    """Yield `make()(item)` for every item, in order; no more than `IN_FLIGHT` items per worker are read ahead.

    Args:
        make: builds the function, once in every process; can be pickled.
        items: the stream.
        workers: processes; 1 is this process alone.
        preload: modules to import once for all processes.

    Raises:
        InputError: a process was killed. Exceptions of `items` and the function are passed on.
    """
    if workers == 1:
        yield from map(make(), items)
        return
    # Not fork: libraries may have started threads in this process, and a lock that one of them holds would stay locked
    # in the child.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *preload])
    pool = ProcessPoolExecutor(workers, context, initializer=_start, initargs=(make,))
    waiting: deque[Future] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(_work, item))
            if len(waiting) >= IN_FLIGHT * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise InputError(f"--workers {workers}: one was killed, perhaps for want of memory; give fewer") from error
    finally:
        pool.shutdown(cancel_futures=True)


_function: Callable[[Any], Any] | None = None  # of a worker process


def _start(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process gets it too, and ends its workers
    threading.Thread(target=_follow_parent, daemon=True).start()
    _function = make()


def _follow_parent() -> None:
    """Exit this process when the main one was killed; otherwise it would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(item: Any) -> Any:
    assert _function is not None
    return _function(item)
