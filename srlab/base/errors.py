"""The exception for what the reader can put right: a clear sentence instead of a stack trace."""


class SrlabError(Exception):
    """Something the reader can put right: the message says what is wrong, where, and what to do.

    In a notebook only the sentence is shown (IPython asks an exception for ``_render_traceback_``), because
    the frames inside srlab would bury it. ``%debug`` still reaches them.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]
