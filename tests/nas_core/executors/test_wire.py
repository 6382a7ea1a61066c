import multiprocessing
from pathlib import Path

import pytest
from fault_trainers import SPEC

from nas_core.executors import wire
from nas_core.executors.wire import Lines, Pipe, Tail, decode_request, encode_line, encode_request
from nas_core.trainer.base import Job


def test_a_request_comes_back_equal() -> None:
    path = Path("a b/model.keras")
    for job in (Job(3, 7), Job(0, 0, threads=4, model_path=path), Job(0, 0, init_from=path)):
        assert decode_request(encode_request(SPEC, job)) == (SPEC, job)


def test_lines_arrive_in_pieces_and_in_order() -> None:
    reader, writer = multiprocessing.Pipe(duplex=False)
    lines = Lines(Pipe(reader))
    assert list(lines.read()) == []  # never waits
    wire.send_line(writer, b'{"a": 1}\n{"b"')
    assert list(lines.read()) == [{"a": 1}]
    wire.send_line(writer, b": 2}\n")
    assert list(lines.read()) == [{"b": 2}]
    writer.close()
    assert list(lines.read()) == []
    assert lines.pipe.closed


@pytest.mark.parametrize("junk", [b"\xff\x00\n", b"[1]\n", b"{]\n"])
def test_what_came_before_junk_counts(junk: bytes) -> None:
    reader, writer = multiprocessing.Pipe(duplex=False)
    wire.send_line(writer, b'{"ready": true}\n' + junk)
    messages = Lines(Pipe(reader)).read()
    assert next(messages) == {"ready": True}
    with pytest.raises(ValueError):
        next(messages)
    writer.close()
    reader.close()


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LONGEST_LINE", 10)
    reader, writer = multiprocessing.Pipe(duplex=False)
    wire.send_line(writer, b"x" * 11)
    with pytest.raises(ValueError, match="more than 10 bytes"):
        list(Lines(Pipe(reader)).read())
    writer.close()
    reader.close()


def test_the_tail_keeps_the_end() -> None:
    reader, writer = multiprocessing.Pipe(duplex=False)
    tail = Tail(Pipe(reader))
    wire.send_line(writer, b"first\n" + b"." * 5000 + b"\nlast words\n\n")
    tail.read()
    assert len(tail.text()) < 4096
    assert tail.last_line() == "last words"
    writer.close()
    reader.close()


def test_numbers_of_numpy_are_numbers_and_nan_is_refused() -> None:
    numpy = pytest.importorskip("numpy")
    assert encode_line({"score": numpy.float32(0.5)}) == b'{"score": 0.5}\n'
    with pytest.raises(ValueError):
        encode_line({"score": float("nan")})
    with pytest.raises(TypeError, match="object is no JSON value"):
        encode_line({"score": object()})
