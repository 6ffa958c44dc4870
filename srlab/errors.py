"""`SrlabError`, the exception for mistakes that you can fix: one clear message instead of a stack trace."""

from srlab.text import printable

LONGEST_MESSAGE = 2000  # characters; a message may quote a field of a file, which can have millions


class SrlabError(Exception):
    """A mistake that you can fix: the message states what is wrong, where, and what to do.

    The message may quote names and contents of any file, so it is reduced to one line that is safe to print on a
    terminal. A notebook shows only the message (IPython calls ``_render_traceback_``), because the frames inside srlab
    would bury it. ``%debug`` still reaches them.
    """

    def __init__(self, sentence: object = "") -> None:
        text = printable(" ".join(str(sentence).splitlines()))
        if len(text) > LONGEST_MESSAGE:
            text = f"{text[: LONGEST_MESSAGE // 2]} [...] {text[-LONGEST_MESSAGE // 4 :]}"
        super().__init__(text)

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]
