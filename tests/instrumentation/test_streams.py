"""The program's streams and import finders are its own again after tracing, whatever it did with them meanwhile."""

import contextlib
import io
import sys
from typing import Any

from instrumentation.recording import traced


def test_streams_and_finders_are_the_programs_again() -> None:
    streams, finders = (sys.stdout, sys.stderr), list(sys.meta_path)
    with traced():
        assert sys.stdout is not streams[0]
        assert sys.meta_path != finders
    assert (sys.stdout, sys.stderr) == streams
    assert sys.stdout is streams[0]
    assert sys.stderr is streams[1]
    assert sys.meta_path == finders


def test_a_stream_that_the_program_put_in_place_stays(instrumentor: Any) -> None:
    original, own = sys.stdout, io.StringIO()
    instrumentor.instrument()
    try:
        sys.stdout = own
        instrumentor.uninstrument()
        assert sys.stdout is own
    finally:
        sys.stdout = original


def test_a_stream_that_the_program_wrapped_goes_on_working(instrumentor: Any) -> None:
    class Shouting:
        def __init__(self, stream: Any) -> None:
            self.stream = stream

        def write(self, text: str) -> int:
            return int(self.stream.write(text.upper()))

        def flush(self) -> None:
            self.stream.flush()

    end = io.StringIO()
    with contextlib.redirect_stdout(end):
        instrumentor.instrument()
        sys.stdout = shouting = Shouting(sys.stdout)
        instrumentor.uninstrument()
        assert sys.stdout is shouting
        print("still here")
    assert end.getvalue() == "STILL HERE\n"


def test_a_finder_that_the_program_took_out_is_not_missed(instrumentor: Any) -> None:
    finders = list(sys.meta_path)
    instrumentor.instrument()
    sys.meta_path[:] = finders
    instrumentor.uninstrument()
    assert sys.meta_path == finders
