"""The exception for what the reader can put right: a clear sentence instead of a stack trace."""

from srlab.base.text import printable

LONGEST_MESSAGE = 2000  # characters of a message; a field of somebody else's file may have millions


class SrlabError(Exception):
    """Something the reader can put right: the message says what is wrong, where, and what to do.

    It may quote the name of a file, or what stands in one, whoever made that: it is one line that a terminal can show.

    In a notebook only the sentence is shown (IPython asks an exception for ``_render_traceback_``), because
    the frames inside srlab would bury it. ``%debug`` still reaches them.
    """

    def __init__(self, sentence: object = "") -> None:
        text = printable(" ".join(str(sentence).splitlines()))
        if len(text) > LONGEST_MESSAGE:
            text = f"{text[: LONGEST_MESSAGE // 2]} [...] {text[-LONGEST_MESSAGE // 4 :]}"
        super().__init__(text)

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]
