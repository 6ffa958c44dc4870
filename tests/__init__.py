"""Tests of srlab."""

import sys

# nbformat's validator would compile forty grammars of URLs, a second in each process, for formats that no notebook has.
sys.modules.setdefault("rfc3987_syntax", None)
